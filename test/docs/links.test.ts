import {existsSync} from 'node:fs'
import {dirname, join, normalize} from 'node:path'
import {describe, expect, it} from 'vitest'
import {type Document, document, documents} from './markdown.ts'

/** Where links may lead. A new host is looked at by a person first, and then added. */
const HOSTS = [
  'datatracker.ietf.org',
  'docs.oasis-open.org',
  'github.com',
  'keepachangelog.com',
  'miot-spec.org',
  'no-color.org',
  'python-miio.readthedocs.io',
  'semver.org',
  'www.npmjs.com',
]
/** Absolute paths that exist on a user's machine or in the container; any other is one of somebody's own machine. */
const PATHS = ['/app', '/data', '/etc', '/run', '/tmp', '/usr', '/var/lib', '/dev/null', '/proc/self']

const byPath = new Map(documents.map((each) => [each.path, each]))

describe('the documents', () => {
  it('are all found, README first of all', () => {
    expect([...byPath.keys()]).toEqual(
      expect.arrayContaining(['README.md', 'CONTRIBUTING.md', 'docs/topics.md', 'docs/troubleshooting.md']),
    )
  })

  it.each(documents.map((each) => [each.path, each] as const))('%s links only to what exists', (_, each) => {
    expect(linksOf(each).filter((link) => !isThere(each, link))).toEqual([])
  })

  it.each(documents.map((each) => [each.path, each] as const))(
    '%s leads out only to known hosts, and names no path of a single machine',
    (_, each) => {
      expect(strangeHosts(each)).toEqual([])
      expect(strangePaths(each)).toEqual([])
    },
  )
})

describe('the judge of links', () => {
  const readme = document(
    'docs/x.md',
    '# A b\n[a](#a-b) [b](#c) [c](no.md) [d](../README.md#try-it) [e](../README.md#no)\n',
  )

  it('sees what is missing: anchors and files', () => {
    expect(linksOf(readme).filter((link) => !isThere(readme, link))).toEqual([
      '#c',
      'no.md',
      '../README.md#no',
    ])
  })

  it('sees strange hosts and paths, in prose and in blocks', () => {
    const strange = document(
      'x.md',
      'See https://example.org/a, `/home/me/x`.\n```sh\ncat /srv/y /etc/z\n```\n',
    )
    expect(strangeHosts(strange)).toEqual(['example.org'])
    expect(strangePaths(strange)).toEqual(['/home/me/x', '/srv/y'])
  })
})

function linksOf({prose}: Document): string[] {
  const inline = Array.from(prose.matchAll(/\]\(([^)\s]+)\)/g), ([, target = '']) => target)
  return inline.filter((target) => !/^[a-z]+:/.test(target))
}

function isThere(from: Document, link: string): boolean {
  const [path = '', anchor] = link.split('#')
  const target = path === '' ? from.path : normalize(join(dirname(from.path), path))
  if (!existsSync(target) && !byPath.has(target) && target !== from.path) return false
  return anchor === undefined || (path === '' ? from : byPath.get(target))?.anchors.has(anchor) === true
}

function strangeHosts(each: Document): string[] {
  const hosts = Array.from(textOf(each).matchAll(/https?:\/\/([^/\s)"'`>,]+)/g), ([, host = '']) => host)
  return hosts.filter((host) => !HOSTS.includes(host))
}

function strangePaths(each: Document): string[] {
  const found = textOf(each).matchAll(/(?<=^|[\s`"'=(:])\/[a-z][\w./-]+/gm)
  return Array.from(found, ([path]) => path).filter(
    (path) => !PATHS.some((known) => path === known || path.startsWith(`${known}/`)),
  )
}

function textOf({prose, blocks}: Document): string {
  return [prose, ...blocks.map(({text}) => text)].join('\n')
}
