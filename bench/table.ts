export interface Row {
  what: string
  value: string
  /** To the row it is compared with. */
  ratio?: number
}

/** Columns as wide as their widest cell. */
export function print(rows: readonly Row[]): void {
  const what = Math.max(...rows.map((row) => row.what.length))
  const value = Math.max(...rows.map((row) => row.value.length))
  for (const row of rows) {
    const ratio = row.ratio === undefined ? '' : `ratio ${row.ratio.toFixed(2)}`
    console.log(`${row.what.padEnd(what)}  ${row.value.padStart(value)}  ${ratio}`.trimEnd())
  }
}

export function thousands(number: number): string {
  return Math.round(number).toLocaleString('en')
}

export function ms(value: number): string {
  return `${value.toFixed(2)} ms`
}

export function micros(value: number): string {
  return `${Math.round(value)} µs`
}

/** @param value milliseconds */
export function seconds(value: number): string {
  return `${(value / 1000).toFixed(2)} s`
}
