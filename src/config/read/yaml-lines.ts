/** The lines of a YAML text and their indentation, for errors that show in the text and not in the parsed document. */
export class YamlLines {
  readonly #text: string
  readonly #starts: number[] = [0]

  constructor(text: string) {
    this.#text = text
    for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) this.#starts.push(at + 1)
  }

  /** The line, counted from 0, that `offset` is in. */
  at(offset: number): number {
    let [low, high] = [0, this.#starts.length - 1]
    while (low < high) {
      const middle = Math.ceil((low + high) / 2)
      if (this.start(middle) <= offset) low = middle
      else high = middle - 1
    }
    return low
  }

  start(line: number): number {
    return this.#starts[line] ?? this.#text.length
  }

  /** Without the line break. */
  text(line: number): string {
    return this.#text.slice(this.start(line), this.start(line + 1)).replace(/\r?\n$/, '')
  }

  slice(start: number, end: number): string {
    return this.#text.slice(start, end)
  }

  /** From `offset` to the end of its line. */
  textFrom(offset: number): string {
    const line = this.at(offset)
    return this.text(line).slice(offset - this.start(line))
  }

  /** The number of spaces before the text. */
  indent(line: number): number {
    return /^ */.exec(this.text(line))?.[0].length ?? 0
  }

  /** The nearest line above that is neither blank nor a comment. */
  before(line: number): number | undefined {
    for (let at = line - 1; at >= 0; at--) if (this.#hasContent(at)) return at
    return undefined
  }

  /** The nearest line below that is neither blank nor a comment. */
  after(line: number): number | undefined {
    for (let at = line + 1; at < this.#starts.length; at++) if (this.#hasContent(at)) return at
    return undefined
  }

  /** The columns in which the sections around the line begin, the outermost first. */
  columnsAbove(line: number): number[] {
    const columns: number[] = []
    for (let at = this.before(line); at !== undefined; at = this.before(at))
      if (columns.length === 0 || this.indent(at) < (columns[0] ?? 0)) columns.unshift(this.indent(at))
    return columns
  }

  /** The first line below that is indented less. */
  endOfBlock(line: number): number {
    const indent = this.indent(line)
    for (let at = this.after(line); at !== undefined; at = this.after(at))
      if (this.indent(at) < indent) return at
    return this.#starts.length
  }

  #hasContent(line: number): boolean {
    return /^\s*[^\s#]/.test(this.text(line))
  }
}
