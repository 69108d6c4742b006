/** What an operator can mend: it is shown in one line, without a stack. */
export class StartError extends Error {}
