/** Where the parts of a device report events. `Events` has the arguments of each event, by its name. */
export interface Emitter<Events extends {[Event in keyof Events]: unknown[]}> {
  emit<Event extends keyof Events>(event: Event, ...args: Events[Event]): void
}
