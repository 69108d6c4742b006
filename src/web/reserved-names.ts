import { fold } from '../db/fold.ts'

// Names that readers could take for the panel's own words: in histories, e-mails and lists of users.

/** Letters of other scripts, digits and signs, each followed by the Latin letter that it looks like. */
const capitals = 'ΑaΒbΕeΖzΗhΙiΚkΜmΝnΟoΡpΤtΥyΧxАaВbЕeКkМmНhОoРpСcТtХxУyЅsІiЈj'
const smalls =
  'аaсcеeоoрpхxуyѕsіiјjһhпnгrтtмmкkԁdӏlαaεeοoρpτtυuγyιiκkνvηnոnսuօoհhɑaɡgѕsꜱsᴜuᴘpᴏoʀrᴛtʏyᴇeᴍmʜhᴀaɴnʟlᴅdøođdłl0o1l3e4a5s7t8b$s@a|l!i+t'
const looks = new Map(
  [...`${capitals}${smalls}`.matchAll(/(.)(.)/gu)].map(([, from = '', to = '']) => [from, to] as const),
)
const alike = (text: string) => [...text].map((letter) => looks.get(letter) ?? letter).join('')

const own = ['Support', 'Support team', 'System', 'The system', 'The panel', 'Set-up', 'Command line', 'Deleted user']
const ofProduct = (name: string) => [name, `${name} Support`, `Support ${name}`, `${name} Support team`, `${name} team`]

const reserved = new Set([...own, ...ofProduct('Meshpanel')].map(lookOf))

/** Reserves the name of the panel as it is configured, and what is built with it. For the whole process. */
export function reserveNamesOf(panelName: string): void {
  // A name of signs alone looks like nothing, and would reserve all such names.
  for (const look of ofProduct(panelName).map(lookOf)) if (look) reserved.add(look)
}

/** Whether a name is reserved, or looks like one that is. */
export function isReserved(name: string): boolean {
  return reserved.has(lookOf(name))
}

/**
 * What a name looks like at a glance: without case, accents, spaces and punctuation, with letters that look alike made
 * one. Two names that look the same have the same result (after the skeletons of UTS #39, with a small table).
 */
function lookOf(name: string): string {
  const letters = alike(name.normalize('NFKD')).replaceAll(/\p{M}/gu, '')
  return alike(fold(letters))
    .replaceAll(/[^\p{L}\p{N}]/gu, '')
    .replaceAll(/[ij]/g, 'l')
    .replaceAll('rn', 'm')
    .replaceAll('vv', 'w')
}
