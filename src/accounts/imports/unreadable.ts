/** What keeps a file from being read, in a person's words. */
export class UnreadableFile extends Error {}
