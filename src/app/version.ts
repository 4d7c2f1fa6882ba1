import {createRequire} from 'node:module'

/** Ours, from `package.json`: beside `src` as well as beside `dist`. */
export const version = String(createRequire(import.meta.url)('../../package.json').version)
