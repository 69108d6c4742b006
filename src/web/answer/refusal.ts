import type { Views } from './views.ts'

type RefusalView = Extract<keyof Views, `errors/${string}`>

/** A page that refuses something, with what it shows beside the message. */
export type RefusalPage = {
  [View in RefusalView]: { view: View } & Omit<Views[View], 'message' | 'requestId'>
}[RefusalView]
