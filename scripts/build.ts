/**
 * `npm run build`: bundles `src` and the packages that it uses into `dist`. The files of 50 packages take longer to find and to
 * compile than the program itself takes to start.
 *
 * Code that several commands use is in `dist/chunks/`; what only one command uses is in a file of its own, which is loaded when that
 * command runs. Every file is as deep below the package as the one in `src` it was made of: `../../package.json` is right in both.
 */
import {readdir, readFile, rm, writeFile} from 'node:fs/promises'
import {type BuildOptions, build, type Metafile, type Plugin} from 'esbuild'

const OUT = 'dist'
const PROGRAM = 'cli/program'
/** CommonJS packages ask for Node's own modules with `require`, which a module does not have. */
const REQUIRE = `import {createRequire as requireFor} from 'node:module'; const require = requireFor(import.meta.url);`

const options = {
  outdir: OUT,
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'node20.12', // as `engines` in package.json says it
  sourcemap: 'linked',
  sourcesContent: false, // the names of files and the numbers of lines are enough for a report
  legalComments: 'none', // the licences have a file of their own
} as const satisfies BuildOptions

/** Node.js reads `main.js` before it is known to be new enough: it is alone in its file. */
const programStaysOutside: Plugin = {
  name: 'program-stays-outside',
  setup: ({onResolve}) =>
    onResolve({filter: /\/program\.ts$/}, () => ({path: `./${PROGRAM}.js`, external: true})),
}

await rm(OUT, {recursive: true, force: true})
await build({...options, entryPoints: ['src/main.ts'], plugins: [programStaysOutside]})
const {metafile} = await build({
  ...options,
  entryPoints: [`src/${PROGRAM}.ts`, 'src/app/healthcheck.ts'],
  outbase: 'src',
  splitting: true,
  minifyWhitespace: true, // and comments: V8 keeps the text of every file in memory
  metafile: true,
  chunkNames: 'chunks/[name]-[hash]',
  banner: {js: REQUIRE},
})
await assertLatin1()
await writeFile(`${OUT}/third-party-licenses.txt`, await licenses(bundledPackages(metafile)))

/** V8 keeps a file with a character outside Latin-1 in two bytes per character: a megabyte more in memory. */
async function assertLatin1(): Promise<void> {
  const files = await readdir(OUT, {recursive: true})
  for (const file of files.filter((name) => name.endsWith('.js'))) {
    const other = /[^\0-\xff]/.exec(await readFile(`${OUT}/${file}`, 'utf8'))
    if (other)
      throw new Error(`expected Latin-1 alone in ${file}, got ${other[0]}: make the pattern from a text`)
  }
}

/** The folders of the packages that are in the bundle, in the order of their names. */
function bundledPackages({inputs}: Metafile): string[] {
  const folders = Object.keys(inputs).map((file) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(file)?.[0])
  return [...new Set(folders)].filter((folder) => folder !== undefined).sort()
}

/** @throws Error for a package without a licence */
async function licenses(folders: readonly string[]): Promise<string> {
  const parts = await Promise.all(folders.map(license))
  return ['The files of miio2mqtt contain these packages.\n', ...parts].join(`\n${'-'.repeat(80)}\n\n`)
}

async function license(folder: string): Promise<string> {
  const {name, version, license} = JSON.parse(await readFile(`${folder}/package.json`, 'utf8'))
  const file = (await readdir(folder)).find((each) => /^licen[cs]e/i.test(each))
  if (file === undefined)
    throw new Error(`expected a file with the licence of ${name} in ${folder}, got none`)
  return `${name} ${version} (${license})\n\n${await readFile(`${folder}/${file}`, 'utf8')}`
}
