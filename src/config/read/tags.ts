/** What may stand before a single value: where its text comes from. */
export const TAGS = ['!env', '!file', '!secret'] as const
export type Tag = (typeof TAGS)[number]
