import * as z from 'zod'
import { markOfProjects } from '../../accounts/deletion/data/losses.ts'
import { countAdmins, countMembers } from '../../accounts/members/data.ts'
import type { AccountId } from '../../db/ids.ts'
import type { Db } from '../../db/open.ts'
import { suspensionOf } from '../../db/suspension.ts'
import { findDetails } from '../../partners/customers/details/data.ts'
import { detailFields, tagList } from '../../partners/customers/details/fields.ts'
import type { Customer } from '../../partners/data.ts'
import { customerOf } from '../../partners/scope.ts'
import { deletedAlong } from '../contract/etag.ts'
import type { Call } from '../contract/operation.ts'
import {
  shownAdmins,
  shownIdentifier,
  shownName,
  shownSuspension,
  shownTime,
  suspension,
  timeOf,
} from '../contract/shapes.ts'

// A customer as the API reads and changes it.

const common = {
  identifier: shownIdentifier(),
  name: shownName(),
  users: z.int().min(0).meta({ description: 'How many users the customer has.' }),
  suspension,
  created_at: timeOf('When the customer was created.'),
}

export const customerRow = z
  .strictObject({
    ...common,
    project_limit: z
      .int()
      .min(0)
      .nullable()
      .meta({ description: 'Null if the number of projects has no limit of its own.' }),
  })
  .meta({ id: 'CustomerRow' })

const contactFields = {
  name: shownName(),
  email: z.string(),
  phone: z.string(),
  address: z.string().meta({ description: 'May have several lines.' }),
}

export const customerShape = z
  .strictObject({
    ...common,
    admins: shownAdmins,
    contact: z.strictObject(contactFields).meta({ description: 'Empty texts where nothing is known.' }),
    reference: z
      .string()
      .meta({ description: 'Your own number of the customer. Unique among your customers.', example: 'C-1001' }),
    note: z.string().meta({ description: 'Only you see it, never the customer.' }),
    tags: z.array(z.string()),
  })
  .meta({ id: 'Customer' })

export const customerChange = z
  .strictObject({
    contact: z
      .strictObject({
        name: detailFields.contactName,
        email: detailFields.contactEmail,
        phone: detailFields.contactPhone,
        address: detailFields.contactAddress,
      })
      .optional(),
    reference: detailFields.reference.optional(),
    note: detailFields.note.optional(),
    tags: tagList.optional(),
  })
  .meta({ id: 'CustomerChange' })

/** The customer that the address names. */
export const customerAnswer = ({ request, db, account }: Pick<Call, 'request' | 'db' | 'account'>) =>
  answerOf(db, account.id, customerOf(request, db))

/** A customer with what its partner keeps about it. */
export function answerOf(db: Db, partnerId: AccountId, one: Customer) {
  const details = findDetails(db, partnerId, one.id)
  return {
    identifier: one.identifier,
    name: one.name,
    users: countMembers(db, one.id),
    admins: countAdmins(db, one.id),
    suspension: shownSuspension(suspensionOf(one)),
    created_at: shownTime(one.createdAt),
    contact: {
      name: details.contactName,
      email: details.contactEmail,
      phone: details.contactPhone,
      address: details.contactAddress,
    },
    reference: details.reference,
    note: details.note,
    tags: details.tags,
    [deletedAlong]: markOfProjects(db, one.id),
  }
}
