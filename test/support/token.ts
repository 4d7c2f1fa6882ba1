/** The token of every simulated plug of the tests, unless one says otherwise. It must not occur in any output. */
export const TOKEN = '5a3c1f0e9d8b7a695847362514039281'
