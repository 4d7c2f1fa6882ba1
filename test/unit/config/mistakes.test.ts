import {expect, it} from 'vitest'
import {ConfigError, parseConfig} from '../../../src/config/config.ts'

/** The lines of the error for a file. There is no file beside it, and no environment variable. */
function problems(text: string): string[] {
  const readFile = () => {
    throw Object.assign(new Error('no such file'), {code: 'ENOENT'})
  }
  try {
    parseConfig(text, {file: '/m/config.yaml', env: {}, readFile})
  } catch (error) {
    if (error instanceof ConfigError) return error.message.replaceAll('/m/', '').split('\n')
    throw error
  }
  return []
}

/** Mistakes, each with the text of the file and every line of the error. */
const mistakes: [mistake: string, text: string, ...lines: string[]][] = [
  [
    'a section that is true',
    'homeassistant: true\n',
    'config.yaml:1:1 homeassistant: expected a mapping, got a single value: write it as `homeassistant: {enabled: true}`',
  ],
  [
    'a section that is a level',
    'log: debug\n',
    'config.yaml:1:1 log: expected a mapping, got a single value: write it as `log: {level: debug}`',
  ],
  [
    'a section that is a duration',
    'poll: 5s\n',
    'config.yaml:1:1 poll: expected a mapping, got a single value: write it as `poll: {interval: 5s}`',
  ],
  [
    'a section that is an address',
    'mqtt: mqtt://localhost:1883\n',
    'config.yaml:1:1 mqtt: expected a mapping, got a single value: write it as `mqtt: {url: …}`',
  ],
  [
    'a plug that is a token',
    `devices:
  desk: 00112233445566778899aabbccddeeff
`,
    'config.yaml:2:3 devices.desk: expected the settings of a plug, indented below its name, got a single value: write it as `desk: {host: …, token: …}`',
  ],
  [
    'plugs as a list',
    `devices:
  - name: desk
    host: 192.168.1.40
    token: 00112233445566778899aabbccddeeff
`,
    'config.yaml:1:1 devices: expected a mapping from names to plugs, got a list: name each plug in place of "- ": `desk: {host: …, token: …}`',
  ],
  [
    'a single value in place of a list',
    `devices:
  desk:
    host: 192.168.1.40
    token: 00112233445566778899aabbccddeeff
    filtered: rssi
`,
    'config.yaml:5:5 devices.desk.filtered: expected a list of names of properties, got a single value: write it as `filtered: [rssi]`',
  ],
  [
    'a single member of a group',
    `devices:
  desk:
    host: 192.168.1.40
    token: 00112233445566778899aabbccddeeff
groups:
  evening:
    members: desk
`,
    "config.yaml:7:5 groups.evening.members: expected a list of plugs' names, got a single value: write it as `members: [desk]`",
  ],
  [
    'a group that is a list',
    `devices:
  desk:
    host: 192.168.1.40
    token: 00112233445566778899aabbccddeeff
groups:
  evening: [desk]
`,
    'config.yaml:6:3 groups.evening: expected a mapping with `members` in it, got a list: write it as `evening: {members: [desk]}`',
  ],
  [
    'a plug whose settings are beside its name',
    `devices:
  desk:
  host: 192.168.1.40
`,
    'config.yaml:3:3 devices.host: expected the settings of a plug, indented below its name, got a single value: indent it further than the name of its plug',
  ],
  [
    'a name with #',
    `mqtt:
  url: mqtt://localhost:1883
devices:
  Büro Lampe #1:
    host: 192.168.1.40
    token: 00112233445566778899aabbccddeeff
`,
    'config.yaml:4:14: " #" begins a comment: put the name in quotes',
  ],
  [
    'a name with # after another plug',
    `devices:
  desk:
    host: 192.168.1.40
    token: 00112233445566778899aabbccddeeff
  Lampe #2:
    host: 192.168.1.41
    token: 00112233445566778899aabbccddeeff
`,
    'config.yaml:5:9: " #" begins a comment: put the name in quotes',
  ],
  [
    'a value with # in brackets',
    `devices:
  desk: {host: 192.168.1.40, area: Room #1, token: 00112233445566778899aabbccddeeff}
`,
    'config.yaml:2:41: " #" begins a comment: put the text in quotes',
  ],
  [
    'a password that begins with #',
    `mqtt:
  username: plugs
  password: #secret123
`,
    'config.yaml:3:3 mqtt.password: nothing is left of it, as "#" begins a comment: put the text in quotes',
  ],
  [
    'a tab',
    `devices:
	desk:
`,
    'config.yaml:2:1: a tab cannot indent: use spaces',
  ],
  [
    'a line too far',
    `mqtt:
  url: mqtt://localhost:1883
devices:
  desk:
    host: 192.168.1.40
     token: 00112233445566778899aabbccddeeff
`,
    'config.yaml:6:6: indented further than the line above: begin both in the same column',
  ],
  [
    'a line too near',
    `devices:
  desk:
    host: 192.168.1.40
   token: 00112233445566778899aabbccddeeff
`,
    'config.yaml:4:4: indented by 3 spaces, expected 0, 2 or 4, as the lines above that it belongs to',
  ],
  [
    'a file that begins too far',
    ` mqtt:
  url: mqtt://localhost:1883
devices: {}
`,
    'config.yaml:1:2: indented, although nothing is around it: begin at the very beginning of the line',
  ],
  [
    'an entry of a list too far',
    `devices:
  desk:
    host: 192.168.1.40
    token: 00112233445566778899aabbccddeeff
groups:
  evening:
    members:
      - desk
        - lamp
`,
    'config.yaml:8:9 groups.evening.members.0: the line below is indented further and belongs to this text: begin both in the same column',
  ],
  [
    'a password with : in it',
    `mqtt:
  username: plugs
  password: pa#ss: word
`,
    'config.yaml:3:13: text with ": " in it needs quotes: put the password in single quotes',
  ],
  [
    'a password that begins with @',
    `mqtt:
  username: plugs
  password: @home
`,
    'config.yaml:3:13: text that starts like this needs quotes',
  ],
  [
    'a password that begins with &',
    `mqtt:
  username: plugs
  password: &home
`,
    'config.yaml:3:3 mqtt.password: text that starts with "&" needs quotes',
  ],
  [
    'a password that begins with *',
    `mqtt:
  username: plugs
  password: *home
`,
    'config.yaml:3:3 mqtt.password: no anchor of this name before; text that starts with "*" needs quotes',
  ],
  [
    'a password that begins with !',
    `mqtt:
  username: plugs
  password: !home
`,
    'config.yaml:3:3 mqtt.password: unknown tag, expected !env, !file, !secret; text that starts with "!" needs quotes',
  ],
  [
    'a password that begins with a bracket',
    `mqtt:
  username: plugs
  password: [home
`,
    'config.yaml:3:13: the bracket "[" that opens here is never closed; text that starts with it needs quotes',
  ],
  [
    'a quote that is not closed',
    `mqtt:
  username: 'plugs
  base_topic: miio2mqtt
`,
    'config.yaml:2:13: a quote that begins here is never closed',
  ],
  [
    'a quote within quotes',
    `mqtt:
  username: plugs
  password: 'it's'
`,
    "config.yaml:3:17: text after the closing quote: put all of it in one pair of quotes, with '' for a ' within '…'",
  ],
  [
    'a backslash in double quotes',
    'mqtt:\n  username: plugs\n  password: "a\\q"\n',
    'config.yaml:3:15: no such escape in double quotes; in single quotes a backslash is itself',
  ],
  [
    'typographic quotes around an address',
    `mqtt:
  url: “mqtt://localhost:1883”
`,
    'config.yaml:2:3 mqtt.url: “ and ” are not quotes in YAML: use " or \'',
  ],
  [
    'typographic quotes around a token',
    `devices:
  desk:
    host: 192.168.1.40
    token: „00112233445566778899aabbccddeeff“
`,
    'config.yaml:4:5 devices.desk.token: “ and ” are not quotes in YAML: use " or \'',
  ],
  [
    'typographic quotes around a key',
    `“mqtt”:
  url: mqtt://localhost:1883
`,
    'config.yaml:1:1 “mqtt”: “ and ” are not quotes in YAML: use " or \'',
  ],
  [
    'typographic quotes around text with : in it',
    `mqtt:
  username: plugs
  password: “a: b”
`,
    'config.yaml:3:13: “ and ” are not quotes in YAML: use " or \'',
  ],
  [
    'no space after a colon',
    `devices:
  desk:
    host:192.168.1.40
    token: 00112233445566778899aabbccddeeff
`,
    'config.yaml:3:5: expected "name: value", with a space after the colon',
  ],
  [
    'a space before a token',
    `devices:
  desk:
    host: 192.168.1.40
    token: " 00112233445566778899aabbccddeeff"
`,
    'config.yaml:4:5 devices.desk.token: expected 32 hex digits, got one with a space at the beginning: remove it',
  ],
  [
    'a space after a host',
    `devices:
  desk:
    host: "192.168.1.40 "
    token: 00112233445566778899aabbccddeeff
`,
    'config.yaml:3:5 devices.desk.host: expected an IPv4 address or a host name, got one with a space at the end: remove it',
  ],
  [
    'a space before an address',
    `mqtt:
  url: " mqtt://localhost:1883"
`,
    'config.yaml:2:3 mqtt.url: expected an address mqtt://, mqtts://, ws:// or wss://, got one with a space at the beginning: remove it',
  ],
  [
    'a space that is none',
    'mqtt:\n  url:\u00a0mqtt://localhost:1883\n',
    'config.yaml:1:1 mqtt: a non-breaking space or an invisible character is at an end of this text: type it again',
  ],
  [
    'a line break after a password',
    `mqtt:
  username: plugs
  password: |
    secret
`,
    'config.yaml:3:3 mqtt.password: expected text, got one with a line break at the end: remove it, or write "|-" in place of "|"',
  ],
  [
    'keys of zigbee2mqtt',
    `mqtt:
  server: mqtt://localhost:1883
  user: plugs
`,
    'config.yaml:2:3 mqtt.server: unknown key, did you mean "url"?',
    'config.yaml:3:3 mqtt.user: unknown key, did you mean "username"?',
  ],
  [
    'the ip of a plug',
    `devices:
  desk:
    ip: 192.168.1.40
    token: 00112233445566778899aabbccddeeff
`,
    'config.yaml:3:5 devices.desk.ip: unknown key, did you mean "host"?',
  ],
  [
    'the mac of a plug',
    `devices:
  desk:
    mac: 28:6C:07:00:00:01
    token: 00112233445566778899aabbccddeeff
`,
    'config.yaml:3:5 devices.desk.mac: unknown key: a MAC address cannot be used; `id:` is the number that `miio2mqtt discover` shows',
  ],
  [
    'the name of a plug',
    `devices:
  desk:
    host: 192.168.1.40
    token: 00112233445566778899aabbccddeeff
    name: Desk lamp
`,
    'config.yaml:5:5 devices.desk.name: unknown key: the name of a plug is the key above its settings; another one for Home Assistant is `homeassistant: {name: …}`',
  ],
  [
    'a flat key in a plug',
    `devices:
  desk:
    host: 192.168.1.40
    token: 00112233445566778899aabbccddeeff
    poll_interval: 5s
`,
    'config.yaml:5:5 devices.desk.poll_interval: unknown key, did you mean `poll: {interval: 5s}`?',
  ],
  [
    'flat keys of the bridge',
    `log_level: debug
mqtt_server: mqtt://localhost:1883
base_topic: plugs
`,
    'config.yaml:1:1 log_level: unknown key, did you mean `log: {level: debug}` at the very beginning of a line?',
    'config.yaml:2:1 mqtt_server: unknown key, did you mean `mqtt: {url: …}` at the very beginning of a line?',
    'config.yaml:3:1 base_topic: unknown key, did you mean `mqtt: {base_topic: …}` at the very beginning of a line?',
  ],
  [
    'a key with a slip of the pen',
    `devices:
  desk:
    host: 192.168.1.40
    tokn: 00112233445566778899aabbccddeeff
`,
    'config.yaml:4:5 devices.desk.tokn: unknown key, did you mean "token"?',
  ],
  [
    'plugs within another section',
    `mqtt:
  url: mqtt://localhost:1883
  devices: {}
`,
    'config.yaml:3:3 mqtt.devices: unknown key here: it belongs at the very beginning of a line',
  ],
  [
    'the token of a plug beside the plugs',
    'token: 00112233445566778899aabbccddeeff\n',
    'config.yaml:1:1 token: unknown key: it belongs to a plug, below `devices` and its name: `token: …`',
  ],
  [
    'an address without its protocol',
    `mqtt:
  url: localhost:1883
`,
    'config.yaml:2:3 mqtt.url: expected an address mqtt://, mqtts://, ws:// or wss://, got one without "mqtt://" before it',
  ],
  [
    'an address of the web',
    `mqtt:
  url: http://localhost:1883
`,
    'config.yaml:2:3 mqtt.url: expected an address mqtt://, mqtts://, ws:// or wss://, got one that starts with "http://"',
  ],
  [
    'a port that is too large',
    `mqtt:
  url: mqtt://localhost:18833333
`,
    'config.yaml:2:3 mqtt.url: expected an address mqtt://, mqtts://, ws:// or wss://, got one whose port is above 65535',
  ],
  [
    'a port behind a host',
    `devices:
  desk:
    host: 192.168.1.40:99999
    token: 00112233445566778899aabbccddeeff
`,
    'config.yaml:3:5 devices.desk.host: expected an IPv4 address or a host name, got "192.168.1.40:99999": write the port as `port: …`, at most 65535',
  ],
  [
    'a login with a / in an address',
    `mqtt:
  url: [mqtt://localhost:1883, mqtt://plugs:42/s3cret@localhost:1883]
`,
    'config.yaml:2:32 mqtt.url.1: expected an address mqtt://, mqtts://, ws:// or wss://, got one with an "@" after "/", "?" or "#", where a login would be shown: use username and password, or write "/" as %2F, "?" as %3F, "#" as %23 and "@" as %40 in it',
  ],
  [
    'a host with a number too large',
    `devices:
  desk:
    host: 192.168.1.400
    token: 00112233445566778899aabbccddeeff
`,
    'config.yaml:3:5 devices.desk.host: expected an IPv4 address or a host name, got "192.168.1.400"',
  ],
  [
    'a host with http://',
    `devices:
  desk:
    host: http://192.168.1.40
    token: 00112233445566778899aabbccddeeff
`,
    'config.yaml:3:5 devices.desk.host: expected an IPv4 address or a host name, got "http://192.168.1.40"',
  ],
  [
    '31 digits',
    `devices:
  desk:
    host: 192.168.1.40
    token: 00112233445566778899aabbccddeef
`,
    'config.yaml:4:5 devices.desk.token: expected 32 hex digits, got 31',
  ],
  [
    'a token of f',
    `devices:
  desk:
    host: 192.168.1.40
    token: ffffffffffffffffffffffffffffffff
`,
    'config.yaml:4:5 devices.desk.token: expected 32 hex digits, got zeros or ff, which a plug that hides its token shows in its place: this is not the token itself',
  ],
  [
    'a token of 0',
    `devices:
  desk:
    host: 192.168.1.40
    token: 00000000000000000000000000000000
`,
    'config.yaml:4:5 devices.desk.token: expected 32 hex digits, got zeros or ff, which a plug that hides its token shows in its place: this is not the token itself',
  ],
  [
    'a duration in words',
    `poll:
  interval: 15 sec
`,
    'config.yaml:2:3 poll.interval: expected a duration such as 15s, from 1s to 576h, got "15 sec"',
  ],
  [
    'a level that is none',
    `log:
  level: verbose
`,
    'config.yaml:2:3 log.level: expected trace, debug, info, warn or error, got "verbose"',
  ],
  [
    'a switch that is no',
    `mqtt:
  verify: no
`,
    'config.yaml:2:3 mqtt.verify: expected true or false, got "no"',
  ],
  [
    'a secret without secrets.yaml',
    `devices:
  desk:
    host: 192.168.1.40
    token: !secret desk
`,
    'config.yaml:4:5 devices.desk.token: cannot read secrets.yaml: there is no such file',
  ],
  [
    'a variable that is not set',
    `mqtt:
  username: plugs
  password: !env MQTT_PASSWORD
`,
    'config.yaml:3:3 mqtt.password: the environment variable "MQTT_PASSWORD" is not set',
  ],
  [
    'a variable that every object has',
    `mqtt:
  username: plugs
  password: !env __proto__
`,
    'config.yaml:3:3 mqtt.password: the environment variable that is named here is not set',
  ],
  [
    'a tag in quotes',
    `mqtt:
  username: plugs
  password: "!secret mqtt"
`,
    'config.yaml:3:3 mqtt.password: expected text, got a tag as text: it counts in config.yaml alone, and without quotes around it',
  ],
  [
    'a password without a user',
    `mqtt:
  password: secret
`,
    'config.yaml:2:3 mqtt.password: expected `username` beside the password, got none: brokers take no password without it',
  ],
  [
    'an empty folder',
    'state_dir: ""\n',
    'config.yaml:1:1 state_dir: expected a path, got nothing: name a folder, or take the line out',
  ],
  [
    'the status of Home Assistant on a topic of the bridge',
    `homeassistant:
  status_topic: miio2mqtt/bridge/state
`,
    'config.yaml:2:3 homeassistant.status_topic: expected a topic of Home Assistant, got "miio2mqtt/bridge/state", which is a topic of the bridge itself',
  ],
  [
    'a plug twice',
    `devices:
  desk:
    host: 192.168.1.40
    token: 00112233445566778899aabbccddeeff
  desk:
    host: 192.168.1.41
    token: 00112233445566778899aabbccddeeff
`,
    'config.yaml:5:3 devices.desk: this key was written before in the same mapping',
  ],
  [
    'a host twice',
    `devices:
  desk:
    host: 192.168.1.40
    token: 00112233445566778899aabbccddeeff
  lamp:
    host: 192.168.1.40
    token: ffeeddccbbaa99887766554433221100
`,
    'config.yaml:6:5 devices.lamp.host: the same host and port as "desk"',
  ],
  [
    'a plug that cannot be found',
    `devices:
  desk:
    token: 00112233445566778899aabbccddeeff
`,
    'config.yaml:2:3 devices.desk: expected host or id, got neither: there is no way to find this plug',
  ],
  [
    'a name with a space at its end',
    `devices:
  "desk ":
    host: 192.168.1.40
    token: 00112233445566778899aabbccddeeff
`,
    'config.yaml:2:3 devices.desk : a plug cannot have this name: it, or a level of it, starts or ends with a space',
  ],
  [
    'a member that is no plug',
    `devices:
  desk:
    host: 192.168.1.40
    token: 00112233445566778899aabbccddeeff
groups:
  evening:
    members: [dask]
`,
    'config.yaml:7:15 groups.evening.members.0: expected the name of a plug under devices, got "dask", did you mean "desk"?',
  ],
  [
    'a login under another name',
    `mqtt:
  user: plugs
  password: secret
`,
    'config.yaml:2:3 mqtt.user: unknown key, did you mean "username"?',
  ],
  [
    'sections in other letters',
    `MQTT:
  url: mqtt://localhost
DEVICES: {}
Poll:
  interval: 5s
`,
    'config.yaml:1:1 MQTT: unknown key, did you mean "mqtt"?',
    'config.yaml:3:1 DEVICES: unknown key, did you mean "devices"?',
    'config.yaml:4:1 Poll: unknown key, did you mean "poll"?',
  ],
  [
    'a group of zigbee2mqtt',
    `groups:
  '1':
    friendly_name: evening
    devices: [desk]
`,
    'config.yaml:3:5 groups.1.friendly_name: unknown key: the name of a group is the key above its settings',
    'config.yaml:4:5 groups.1.devices: unknown key, did you mean "members"?',
  ],
  [
    'sections among the plugs',
    `devices:
  desk:
    host: 192.168.1.40
    token: 00112233445566778899aabbccddeeff
  poll:
    interval: 5s
  groups:
    evening: {members: [desk]}
  state_dir: /x
`,
    'config.yaml:5:3 devices.poll: expected the name of a plug, got `poll`, which belongs at the very beginning of a line',
    'config.yaml:7:3 devices.groups: expected the name of a plug, got `groups`, which belongs at the very beginning of a line',
    'config.yaml:9:3 devices.state_dir: expected the name of a plug, got `state_dir`, which belongs at the very beginning of a line',
  ],
  [
    'a section among the groups',
    `groups:
  poll:
    interval: 5s
`,
    'config.yaml:2:3 groups.poll: expected the name of a group, got `poll`, which belongs at the very beginning of a line',
  ],
  [
    'a plug beside devices',
    `devices:
desk:
  host: 192.168.1.40
  token: 00112233445566778899aabbccddeeff
`,
    'config.yaml:2:1 desk: unknown key: it looks like a plug: indent it below `devices:`',
  ],
  [
    'a plug within another',
    `devices:
  desk:
    host: 192.168.1.40
    token: 00112233445566778899aabbccddeeff
    lamp:
      host: 192.168.1.41
      token: 00112233445566778899aabbccddeeff
`,
    'config.yaml:5:5 devices.desk.lamp: unknown key: it looks like a plug: begin it in the same column as "desk"',
  ],
  [
    'the commas of JSON behind quotes',
    `mqtt:
  username: "plugs",
  client_id: plugs
`,
    'config.yaml:2:20: a comma after the value: remove it, as YAML has none at the end of a line',
  ],
  [
    'the commas of JSON',
    `devices:
  desk:
    host: 192.168.1.40,
    token: 00112233445566778899aabbccddeeff,
`,
    'config.yaml:3:5 devices.desk.host: expected an IPv4 address or a host name, got one with a comma at the end: remove it',
    'config.yaml:4:5 devices.desk.token: expected 32 hex digits, got one with a comma at the end: remove it',
  ],
  [
    'a password in brackets',
    `mqtt:
  username: plugs
  password: [secret99]
`,
    'config.yaml:3:3 mqtt.password: expected text, got a list: text that starts with "[" or "{" needs quotes',
  ],
  [
    'a password in braces',
    `mqtt:
  username: plugs
  password: {secret99}
`,
    'config.yaml:3:3 mqtt.password: expected text, got a mapping: text that starts with "[" or "{" needs quotes',
  ],
  [
    'the list of a token extractor',
    `IP: 192.168.1.40
MAC: 28:6C:07:00:00:01
`,
    'config.yaml:1:1 IP: unknown key: it belongs to a plug, below `devices` and its name: `host: …`',
    'config.yaml:2:1 MAC: unknown key: a MAC address cannot be used; `id:` is the number that `miio2mqtt discover` shows',
  ],
  [
    'TLS in the words of other programs',
    `mqtt:
  tls: true
  reject_unauthorized: false
  certificate: x
`,
    'config.yaml:2:3 mqtt.tls: unknown key: whether it is encrypted is in the address: `url: mqtts://…`, and `ca: !file …` where the broker has an own authority',
    'config.yaml:3:3 mqtt.reject_unauthorized: unknown key, did you mean "verify"?',
    'config.yaml:4:3 mqtt.certificate: unknown key, did you mean "cert"?',
  ],
  [
    'a property in capitals',
    `devices:
  desk:
    host: 192.168.1.40
    token: 00112233445566778899aabbccddeeff
    filtered: [LED]
`,
    'config.yaml:5:16 devices.desk.filtered.0: expected the name of a property such as power, got "LED", did you mean "led"?',
  ],
  [
    'a path from the own folder',
    `mqtt:
  username: plugs
  password: !file ~/pw
`,
    'config.yaml:3:3 mqtt.password: cannot read ~/pw: there is no such file; "~" is taken as it stands: write the whole path',
  ],
  [
    'a tag of another program before a section',
    'devices: !include plugs.yaml\n',
    'config.yaml:1:1 devices: unknown tag, expected !env, !file, !secret; text that starts with "!" needs quotes',
  ],
  [
    'a tag of another program before a plug',
    'devices:\n  desk: !include desk.yaml\n',
    'config.yaml:2:3 devices.desk: unknown tag, expected !env, !file, !secret; text that starts with "!" needs quotes',
  ],
  [
    'a tag of another program before a value',
    `devices:
  desk:
    host: 192.168.1.40
    token: !lambda 'x'
`,
    'config.yaml:4:5 devices.desk.token: unknown tag, expected !env, !file, !secret; text that starts with "!" needs quotes',
  ],
  [
    'an anchor that there is not',
    `devices:
  desk:
    <<: *usual
    host: 192.168.1.40
`,
    'config.yaml:2:3 devices.desk: no anchor of this name before; text that starts with "*" needs quotes',
  ],
  [
    'a space in an address',
    'mqtt:\n  url: mqtt://localhost :1883\n',
    'config.yaml:2:3 mqtt.url: expected an address mqtt://, mqtts://, ws:// or wss://, got one with a space in it',
  ],
  [
    'a line that spaces of another kind indent',
    'devices:\n  desk:\n\u00a0\u00a0\u00a0\u00a0host: h\n    token: 00112233445566778899aabbccddeeff\n',
    'config.yaml:3:1: a non-breaking space or an invisible character, at the beginning of the line: use plain spaces',
  ],
  [
    'lines that spaces of another kind indent',
    'devices:\n  desk:\n\u00a0\u00a0\u00a0\u00a0host: h\n\u00a0\u00a0\u00a0\u00a0token: 00112233445566778899aabbccddeeff\n',
    'config.yaml:3:1: a non-breaking space or an invisible character, at the beginning of the line: use plain spaces',
    'config.yaml:4:1: a non-breaking space or an invisible character, at the beginning of the line: use plain spaces',
  ],
  [
    'a line of spaces of another kind',
    'devices:\n  desk:\n    host: h\n    token: 00112233445566778899aabbccddeeff\n\u00a0\u00a0\n',
    'config.yaml:5:1: a non-breaking space or an invisible character, at the beginning of the line: use plain spaces',
  ],
  [
    'a space of another kind after a colon',
    'devices:\n  desk:\n    host:\u00a0h\n    token: 00112233445566778899aabbccddeeff\n',
    'config.yaml:3:10: a non-breaking space or an invisible character, after the colon: use a plain space',
  ],
  [
    'the comments of another language',
    '// mine\ndevices: {}\n',
    'config.yaml:1:1: "//" does not begin a comment: use "#"',
  ],
  [
    'the comments of another language in a section',
    'mqtt:\n  // mine\n  url: mqtt://localhost\n',
    'config.yaml:2:3: "//" does not begin a comment: use "#"',
  ],
  [
    'the comments of another language in JSON',
    '{ // mine\n  "devices": {}}\n',
    'config.yaml:1:3 ***: unknown key: "//" does not begin a comment: use "#"',
  ],
  [
    'the frame of a page',
    '```yaml\ndevices: {}\n```\n',
    'config.yaml:1:1: this line belongs to the page that it was copied from: remove it',
    'config.yaml:3:1: this line belongs to the page that it was copied from: remove it',
  ],
  [
    'the tags of a page',
    '<pre>\ndevices: {}\n</pre>\n',
    'config.yaml:1:1: this line belongs to the page that it was copied from: remove it',
    'config.yaml:3:1: this line belongs to the page that it was copied from: remove it',
  ],
  [
    'the command of a page',
    '$ cat config.yaml\ndevices: {}\n',
    'config.yaml:1:1: this line belongs to the page that it was copied from: remove it',
  ],
  [
    'a conflict of git',
    'mqtt:\n<<<<<<< HEAD\n  url: mqtt://a\n=======\n  url: mqtt://b\n>>>>>>> x\n',
    'config.yaml:2:1: a merge conflict of git: keep one of the two sides, and remove the marker lines',
    'config.yaml:4:1: a merge conflict of git: keep one of the two sides, and remove the marker lines',
    'config.yaml:6:1: a merge conflict of git: keep one of the two sides, and remove the marker lines',
  ],
  [
    'a document that ends early',
    'mqtt: {}\n...\npoll: {}\n',
    'config.yaml:3:1: a line "..." above ends the document: remove it',
  ],
  [
    'line breaks of old Macs',
    'mqtt:\r  url: mqtt://h\rpoll: {}\r',
    'config.yaml:1:1: expected line breaks of Unix or Windows, got those of old Macs (CR alone): save the file with others',
  ],
  [
    'a file in UTF-16',
    'm\0q\0t\0t\0:\0\n\0',
    'config.yaml:1:1: expected UTF-8 text, got NUL characters, as in UTF-16: save the file as UTF-8',
  ],
  [
    'two documents',
    `mqtt: {}
---
poll: {}
`,
    'config.yaml:2:1: expected one document: remove the line "---"',
  ],
]

it.each(mistakes)(
  'A mistake in config.yaml is reported once, with its place and what to do: %s.',
  (_, text, ...lines) => {
    expect(problems(text)).toEqual(lines)
  },
)
