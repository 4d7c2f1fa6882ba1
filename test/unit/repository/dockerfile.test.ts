import {existsSync} from 'node:fs'
import {describe, expect, it} from 'vitest'
import {HEALTH_FILE_VARIABLE} from '../../../src/app/health-file.ts'
import {CONFIG, readOverrides} from '../../../src/config/read/environment.ts'
import {execForm, type Instruction, readContext, readStages} from '../../setup/dockerfile.ts'

const stages = readStages('Dockerfile')
const context = readContext('.dockerignore')
const copies = stages.flatMap(({instructions}) => instructions).filter(({name}) => name === 'COPY')

function sources({rest}: Instruction): string[] {
  return rest.split(/\s+/).slice(0, -1)
}

function image(name: string): Instruction[] {
  return stages.at(-1)?.instructions.filter((instruction) => instruction.name === name) ?? []
}

/** The file in src/ that `npm run build` makes `/app/dist/….js` from. */
function sourceOf(program: string | undefined): string {
  return String(program).replace(/^\/app\/dist\/(.*)\.js$/, 'src/$1.ts')
}

describe('the Dockerfile', () => {
  it('copies only what exists and what .dockerignore lets through', () => {
    const fromHere = copies.filter(({flags}) => flags['from'] === undefined).flatMap(sources)
    const paths = fromHere.map((path) => path.replace(/^\.\//, ''))
    expect(paths).not.toEqual([])
    expect(paths.filter((path) => !existsSync(path))).toEqual([])
    expect(paths.toSorted()).toEqual(context.toSorted())
  })

  it('copies from a stage that is built before', () => {
    const names = stages.map(({name}) => name)
    const wanted = copies.flatMap(({flags}) => flags['from'] ?? [])
    expect(wanted.length).toBeGreaterThan(0)
    expect(wanted.filter((name) => !names.slice(0, -1).includes(name))).toEqual([])
  })

  it('builds with all packages, and takes none of them into the image, whose files are a bundle', () => {
    const build = stages[0]?.instructions.filter(({name}) => name === 'RUN').map(({rest}) => rest) ?? []
    expect(build.indexOf('npm run build')).toBeGreaterThan(build.indexOf('npm ci'))
    expect(build).toContain('npm ci')
    expect(image('COPY').flatMap(sources)).toEqual(['/app/package.json', '/app/dist', '/app/data'])
  })

  it('starts programs that the build makes, without a shell in between', () => {
    const entrypoint = execForm(image('ENTRYPOINT')[0]?.rest ?? '')
    const healthcheck = execForm(image('HEALTHCHECK')[0]?.rest.replace(/^CMD\s+/, '') ?? '')
    expect(entrypoint?.map(sourceOf)).toEqual(['node', 'src/main.ts'])
    expect(healthcheck?.map(sourceOf)).toEqual(['node', 'src/app/healthcheck.ts'])
    expect(['src/main.ts', 'src/app/healthcheck.ts'].filter((path) => !existsSync(path))).toEqual([])
    expect(execForm(image('CMD')[0]?.rest ?? '')).toEqual(['run'])
  })

  it('runs as a user by number who is not root, and writes to /data and /tmp alone', () => {
    expect(image('USER').at(-1)?.rest).toMatch(/^[1-9]\d*:[1-9]\d*$/)
    expect(image('VOLUME').map(({rest}) => rest)).toEqual(['/data'])
    const owned = image('COPY').filter(({flags}) => flags['chown'] !== undefined)
    expect(owned.map(({rest}) => rest)).toEqual(['/app/data /data'])
    expect(owned[0]?.flags['chown']).toBe(image('USER').at(-1)?.rest)
  })

  it('sets only what the daemon reads from its environment', () => {
    const env = Object.fromEntries(image('ENV').map(({rest}) => rest.split('=', 2)))
    expect(readOverrides(env, undefined, new Set())).toMatchObject({
      overrides: [{path: ['state_dir']}],
      misspelled: [],
    })
    expect(Object.keys(env)).toEqual(expect.arrayContaining([CONFIG, HEALTH_FILE_VARIABLE]))
  })

  it('changes nothing in the last image by a command, so that another base without a shell would do', () => {
    expect(image('RUN')).toEqual([])
  })
})
