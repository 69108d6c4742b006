import type { Form } from '../request/forms.ts'
import type { areas } from './areas.ts'

/** What these names hold in every view. */
type Shared = { area: keyof typeof areas; form: Form; formAction: string; message: string; now: number }
type Value<Name> = Name extends keyof Shared ? Shared[Name] : object | string | number | boolean | null

/** The names that a view is always given, and those that only some pages give it. */
export type Names<Always extends string = never, Sometimes extends string = never> = {
  [Name in Always]: Value<Name>
} & {
  [Name in Sometimes]?: Value<Name> | undefined
}
