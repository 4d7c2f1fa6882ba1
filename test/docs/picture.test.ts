/** docs/demo.svg, the picture in the README (`npm run picture`), and the drawing of terminal screens behind it. */
import {readFileSync} from 'node:fs'
import {describe, expect, it} from 'vitest'
import {terminalSvg} from '../../scripts/terminal-svg.ts'
import {documentAt} from './markdown.ts'

const picture = readFileSync('docs/demo.svg', 'utf8')

describe('docs/demo.svg', () => {
  it('is shown in the README, with an alternative text', () => {
    expect(documentAt('README.md').prose).toMatch(/!\[[^\]]{20,}\]\(docs\/demo\.svg\)/)
  })

  it('shows the command of the README and a change of each plug with its cause', () => {
    expect(picture).toContain('$ npm run demo')
    const changes = picture.match(/^\d\d:\d\d:\d\d {2}.*/gm) ?? []
    expect(changes.join('\n')).toMatch(
      /desk .* MQTT command[\s\S]*desk .* poll[\s\S]*kettle .* button on the plug[\s\S]*bedroom .* MQTT command/,
    )
  })

  it('loads no other file, and runs no script', () => {
    expect(picture.replace('http://www.w3.org/2000/svg', '')).not.toMatch(
      /https?:|<script|<image|@import|url\(/,
    )
  })

  it('has only the fixed name of the temporary folder', () => {
    expect(new Set(picture.match(/\/[\w/-]*demo-\w+/g))).toEqual(new Set(['/tmp/demo-Xk3Q9w']))
  })
})

describe('the drawing of a terminal screen', () => {
  it('has one text element for each run of one style, in its column', () => {
    const svg = terminalSvg({
      title: 'a & b',
      description: '<words>',
      columns: 10,
      lines: [
        {
          runs: [
            {text: '<a>', column: 0},
            {text: 'b', column: 4, colour: 2, isBold: true},
          ],
        },
      ],
    })
    expect(svg).toContain('<title>a &amp; b</title>')
    expect(svg).toContain('<desc>&lt;words&gt;</desc>')
    expect(svg).toMatch(/<text x="18" y="[\d.]+" textLength="25.2">&lt;a&gt;<\/text>/)
    expect(svg).toMatch(/<text x="51.6" y="[\d.]+" textLength="8.4" class="bold c2">b<\/text>/)
  })

  it('lets a line appear later, but only where animations are wanted', () => {
    const svg = terminalSvg({
      title: '',
      description: '',
      columns: 10,
      lines: [{runs: [{text: 'late', column: 0}], seconds: 1.5}],
    })
    expect(svg).toMatch(/<g class="later" style="animation-delay:1.5s"><text [^>]*>late<\/text><\/g>/)
    expect(svg).toContain('@media (prefers-reduced-motion:no-preference){.later{')
  })
})
