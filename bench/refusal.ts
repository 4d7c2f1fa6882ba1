/** What a user can mend: the message says how, and no stack is shown. */
export class Refusal extends Error {}
