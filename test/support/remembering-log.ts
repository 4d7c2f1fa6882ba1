import type {Fields, LazyMessage, Log, LogLevel} from '../../src/log/logger.ts'

/** A log that keeps its lines for the test and writes nothing. */
export class RememberingLog implements Log {
  readonly lines: {level: LogLevel; message: string; fields: Fields | undefined}[] = []

  messages(level: LogLevel): string[] {
    return this.lines.filter((line) => line.level === level).map(({message}) => message)
  }

  trace(message: string, fields?: Fields): void {
    this.lines.push({level: 'trace', message, fields})
  }

  debug(message: LazyMessage, fields?: Fields): void {
    const text = typeof message === 'string' ? message : message()
    if (text !== undefined) this.lines.push({level: 'debug', message: text, fields})
  }

  info(message: string, fields?: Fields): void {
    this.lines.push({level: 'info', message, fields})
  }

  warn(message: string, fields?: Fields): void {
    this.lines.push({level: 'warn', message, fields})
  }

  error(message: string, fields?: Fields): void {
    this.lines.push({level: 'error', message, fields})
  }
}
