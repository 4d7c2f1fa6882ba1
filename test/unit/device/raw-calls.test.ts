import {describe, expect, it} from 'vitest'
import {callProblem, withoutSecrets} from '../../../src/device/raw-calls.ts'

describe('a raw call', () => {
  it.each([
    'miIO.ota',
    'miIO.ota ',
    ' miIO.ota',
    'miIO.ota\n',
    'miIO.ota\0',
    'miIO.ota\0get_prop',
    'miIO.ota \0x',
    'MIIO.OTA',
    'ota',
    'miIO.ota_install',
    'miIO.otaStart',
    'miIO.ble_ota',
    'miIO.mcuOta',
    'miIO.get_ota_state',
    'miIO.config',
    'miIO.config_router',
    'miIO.config_router_safe',
    'miIO.bleconfig_router',
    'miIO.configRouter',
    'miIO.factory_reset',
    'miIO.reset',
    'wifireset',
    'miIO.resetwifi',
    'softReset',
    'miIO.apconfig',
    'wificonfig',
    'factoryReset',
    '_internal.restore',
    '_internal.anything',
    'restore',
    'psm_erase',
    'psm_commit',
    'psm_get',
    'miIO.psm_set',
    'miIO.set_dtoken',
    'miIO.get_token',
    'miIO.mdump',
    'miIO.set_enable_recovery',
    'miIO.stop_diag_mode',
    'cli',
    'rpc_test',
    'miIO.unbind',
    'miIO.flash_write',
    'firmware.update',
    'miIO.exec',
  ])('of %j is never sent', (method) => {
    expect(callProblem(method)).toMatch(/never sent/)
  })

  it.each([
    '',
    ' ',
    'get prop',
    'get_prop;',
    'get\u00adprop',
    'gеt_prop',
    '../get',
    'x'.repeat(65),
    'get_prop\r',
  ])('of %j is none that a plug knows, and is refused in words', (method) => {
    expect(callProblem(method)).toMatch(/expected a method of 1 to 64 letters/)
  })

  it.each([
    'get_prop',
    'set_power',
    'set_wifi_led',
    'set_on',
    'toggle_220v',
    'get_properties',
    'action',
    'miIO.info',
    'miIO.wifi_assoc_state',
    'get_total_power',
    'get_device_information',
    'get_rotation',
    'set_preset',
    'is_configured',
    'toggle_plug',
  ])('of %s may be sent', (method) => {
    expect(callProblem(method)).toBeUndefined()
  })

  it('is answered without keys, Wi-Fi and account, however deep they lie and whatever they are called', () => {
    const answer = {
      model: 'chuangmi.plug.m1',
      Token: 'a',
      uid: 12345,
      mac: '34:CE:00:00:00:01',
      ap: {ssid: 'Home', bssid: 'AA:BB', rssi: -50, primary: 6},
      list: [{wifi_passwd: 'b', 'wi-fi password': 'c'}, ['token', null]],
      dtoken: {any: 'd'},
      keys: {local_key: 'e', ltmk: 'f', wifiPass: 'g', bypass: 1, hotkey: 'h'},
      psk: null,
    }
    expect(withoutSecrets(answer)).toEqual({
      model: 'chuangmi.plug.m1',
      Token: '***',
      uid: '***',
      mac: '34:CE:00:00:00:01',
      ap: {ssid: '***', bssid: '***', rssi: -50, primary: 6},
      list: [{wifi_passwd: '***', 'wi-fi password': '***'}, ['token', null]],
      dtoken: '***',
      keys: {local_key: '***', ltmk: '***', wifiPass: '***', bypass: 1, hotkey: 'h'},
      psk: null,
    })
    expect(withoutSecrets(['{"ap": {"ssid":"Home"}}'])).toEqual(['{"ap":{"ssid":"***"}}'])
    for (const plain of ['{"power": 1}', '{"token', ['ok'], 'ok', 7, null, undefined, {power: 'on'}])
      expect(withoutSecrets(plain)).toEqual(plain)
  })

  it('whose answer has a prototype for a member keeps it a member', () => {
    const answer: unknown = JSON.parse('{"__proto__":{"token":"a"}}')
    expect(JSON.stringify(withoutSecrets(answer))).toBe('{"__proto__":{"token":"***"}}')
  })
})
