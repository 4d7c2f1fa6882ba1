import {existsSync} from 'node:fs'
import {dirname, join, normalize} from 'node:path'
import {describe, expect, it} from 'vitest'
import {type Document, document, documents} from './markdown.ts'

/** Hosts that links may lead to. Review a new host before you add it. */
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
/** Absolute paths that exist on a user's machine or in the container. Any other path belongs to the machine of one developer. */
const PATHS = ['/app', '/data', '/etc', '/run', '/tmp', '/usr', '/var/lib', '/dev/null', '/proc/self']

const byPath = new Map(documents.map((each) => [each.path, each]))

describe('the documents', () => {
  it('are all found, including the README', () => {
    expect([...byPath.keys()]).toEqual(
      expect.arrayContaining(['README.md', 'CONTRIBUTING.md', 'docs/topics.md', 'docs/troubleshooting.md']),
    )
  })

  it.each(documents.map((each) => [each.path, each] as const))('%s links only to what exists', (_, each) => {
    expect(linksOf(each).filter((link) => !exists(each, link))).toEqual([])
  })

  it.each(documents.map((each) => [each.path, each] as const))(
    '%s links only to known hosts, and has no path of the machine of a developer',
    (_, each) => {
      expect(unknownHosts(each)).toEqual([])
      expect(unknownPaths(each)).toEqual([])
    },
  )
})

describe('the check of links', () => {
  const readme = document(
    'docs/x.md',
    '# A b\n[a](#a-b) [b](#c) [c](no.md) [d](../README.md#try-it) [e](../README.md#no)\n',
  )

  it('finds missing anchors and files', () => {
    expect(linksOf(readme).filter((link) => !exists(readme, link))).toEqual([
      '#c',
      'no.md',
      '../README.md#no',
    ])
  })

  it('finds unknown hosts and paths, in prose and in blocks', () => {
    const page = document('x.md', 'See https://example.org/a, `/home/me/x`.\n```sh\ncat /srv/y /etc/z\n```\n')
    expect(unknownHosts(page)).toEqual(['example.org'])
    expect(unknownPaths(page)).toEqual(['/home/me/x', '/srv/y'])
  })
})

function linksOf({prose}: Document): string[] {
  const inline = Array.from(prose.matchAll(/\]\(([^)\s]+)\)/g), ([, target = '']) => target)
  return inline.filter((target) => !/^[a-z]+:/.test(target))
}

function exists(from: Document, link: string): boolean {
  const [path = '', anchor] = link.split('#')
  const target = path === '' ? from.path : normalize(join(dirname(from.path), path))
  if (!existsSync(target) && !byPath.has(target) && target !== from.path) return false
  return anchor === undefined || (path === '' ? from : byPath.get(target))?.anchors.has(anchor) === true
}

function unknownHosts(each: Document): string[] {
  const hosts = Array.from(textOf(each).matchAll(/https?:\/\/([^/\s)"'`>,]+)/g), ([, host = '']) => host)
  return hosts.filter((host) => !HOSTS.includes(host))
}

function unknownPaths(each: Document): string[] {
  const found = textOf(each).matchAll(/(?<=^|[\s`"'=(:])\/[a-z][\w./-]+/gm)
  return Array.from(found, ([path]) => path).filter(
    (path) => !PATHS.some((known) => path === known || path.startsWith(`${known}/`)),
  )
}

function textOf({prose, blocks}: Document): string {
  return [prose, ...blocks.map(({text}) => text)].join('\n')
}
