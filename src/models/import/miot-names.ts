/** Maps vendor spellings of MIoT names to the standard's: `on-off`, `OnOff` and `switch_status` are its `on`. */

/** Service names of relays, of single sockets and of USB ports: `outlet-2`, `usb-switch`. */
const SWITCH = /(^|-)(switch|outlet|socket|relay)(-(status|state|service|control))?(-?\d+)?$/
/** Names of such services that switch something other than a relay: `led-switch`. */
const NO_RELAY =
  /(^|-)(led|light|backlight|lamp|indicator|lock|buzzer|count-?down|delay|timer|cycle|schedule|protection|limit|alarm)(-|$)/
/** Descriptions of such services. A service that only mentions a light ("Outlet with LED") is a relay. */
const NO_RELAY_IN_WORDS =
  /^\W*(indicator|led|light|backlight|night.?light|child|physical|lock|buzzer|(quick.?)?count.?down|delay|timer|cycle|charg|power.?limit)\b/i

/** Whether a service with this name (see `hyphened`) and description is that of a relay, of sockets or of USB ports. */
export function isSwitchService(name: string, description: string): boolean {
  return SWITCH.test(name) && !NO_RELAY.test(name) && !NO_RELAY_IN_WORDS.test(description)
}

interface Spelling {
  /** The name in the rules: the standard's, where it has one. */
  name: string
  /** Other spellings, in lower case and without separators. */
  also?: RegExp
  /** The other spellings count only for a property of the format `bool`. */
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

/** The name of a property in the spelling of the rules, or in its own with hyphens where there is none. @param format `bool`, `uint8` … */
export function standardName(name: string, format: string): string {
  const letters = lettersOf(name)
  const isBool = /^bool/i.test(format)
  const known = spellings.find(
    (each) => letters === lettersOf(each.name) || (each.also?.test(letters) && (isBool || !each.bool)),
  )
  return known?.name ?? hyphened(name)
}

/** A name in lower case with hyphens: `usb-switch` for `usbSwitch`, `USB_Switch` and `usb-switch`. */
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
