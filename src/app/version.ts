import {createRequire} from 'node:module'

/** The version of this program, from `package.json`, which is beside `src` as well as beside `dist`. */
export const version = String(createRequire(import.meta.url)('../../package.json').version)
