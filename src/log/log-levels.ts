/** The levels of the log, in a file of their own: `miio2mqtt check` needs them and no logger, whose package takes 6 of 150 ms to load. */
export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error'] as const
