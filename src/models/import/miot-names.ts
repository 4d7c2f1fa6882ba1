/** How vendors spell what MIoT's standard has a name for: `on-off`, `OnOff` and `switch_status` are its `on`. */

/** Service names of relays, of single sockets and of USB ports: `outlet-2`, `usb-switch`. */
const SWITCH = /(^|-)(switch|outlet|socket|relay)(-(status|state|service|control))?(-?\d+)?$/
/** Those of them that switch something else: `led-switch`. */
const NO_RELAY =
  /(^|-)(led|light|backlight|lamp|indicator|lock|buzzer|count-?down|delay|timer|cycle|schedule|protection|limit|alarm)(-|$)/
/** How the service is described then. One that only speaks of a light somewhere ("Outlet with LED") is a relay. */
const NO_RELAY_IN_WORDS =
  /^\W*(indicator|led|light|backlight|night.?light|child|physical|lock|buzzer|(quick.?)?count.?down|delay|timer|cycle|charg|power.?limit)\b/i

/** Whether a service with this name (see `hyphened`) and description is that of a relay, of sockets or of USB ports. */
export function isSwitchService(name: string, description: string): boolean {
  return SWITCH.test(name) && !NO_RELAY.test(name) && !NO_RELAY_IN_WORDS.test(description)
}

interface Spelling {
  /** Ours, which is the standard's where it has one. */
  name: string
  /** In small letters, without anything between them. */
  also?: RegExp
  /** Whether another spelling is believed of what is true or false only. */
  bool?: true
}

const spellings: readonly Spelling[] = [
  {
    name: 'on',
    also: /^(on(off)?(status|state|switch)?|(switch|relay|outlet|socket|power)(onoff|status|state|switch)|switch|switchon)$/,
    bool: true,
  },
  {name: 'usb-on', also: /^usb(switch|onoff|status|state|power|switchstatus|onoffstatus)?$/, bool: true},
  {name: 'physical-controls-locked', also: /^(physicalcontrols?lock|childlock)(ed)?$/, bool: true},
  {
    name: 'countdown-on',
    also: /^(countdown|delay)(onoff|switch|switchstatus|enabled?|active|on)$/,
    bool: true,
  },
  {name: 'countdown-time', also: /^(countdown|delay)(time|duration)$/},
  {name: 'left-time', also: /^(countdown|delay)?(left|remain|remaining)time$/},
  {name: 'default-power-on-state', also: /^(default)?poweron(state|status|mode|behaviou?r)$/},
  {name: 'mode', also: /^(work(ing)?|usb)mode$/},
  {name: 'electric-power'},
  {name: 'electric-current'},
  {name: 'power-consumption'},
  {name: 'working-time'},
]

/** The name of a property of this format (`bool`, `uint8` …) in our spelling, or its own with hyphens where we have none. */
export function standardName(name: string, format: string): string {
  const letters = lettersOf(name)
  const isBool = /^bool/i.test(format)
  const known = spellings.find(
    (each) => letters === lettersOf(each.name) || (each.also?.test(letters) && (isBool || !each.bool)),
  )
  return known?.name ?? hyphened(name)
}

/** `usbSwitch`, `USB_Switch` and `usb-switch` are `usb-switch`. */
export function hyphened(name: string): string {
  return name
    .replace(/([a-z\d])([A-Z])/g, '$1-$2')
    .replace(/([A-Z])([A-Z][a-z])/g, '$1-$2')
    .replace(/[^\p{L}\p{N}]+/gu, '-')
    .toLowerCase()
}

function lettersOf(name: string): string {
  return name.toLowerCase().replace(/[^\p{L}\p{N}]/gu, '')
}
