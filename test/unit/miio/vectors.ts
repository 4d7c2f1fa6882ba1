/**
 * Packets with known contents (docs/protocol.md §2). The requests are python-miio's own bytes (0.5.0.1 and 0.6.0.dev0 agree);
 * replies and malformed packets were encrypted by its `Utils`. Token, device id and stamps are invented.
 */

export const TOKEN = Buffer.from('5a3c1f0e9d8b7a695847362514039281', 'hex')
export const DID = 253_635_900
export const HELLO_STAMP = 123_456
export const STAMP = 123_457

export interface Vector {
  name: string
  /** The payload before encryption; one character is one byte. */
  plain: string
  hex: string
}

/** Packets of a header alone. */
export const HANDSHAKE = {
  hello: '21310020ffffffffffffffffffffffffffffffffffffffffffffffffffffffff',
  replyRevealingToken: '21310020000000000f1e2d3c0001e2405a3c1f0e9d8b7a695847362514039281',
  replyFf: '21310020000000000f1e2d3c0001e240ffffffffffffffffffffffffffffffff',
  reply00: '21310020000000000f1e2d3c0001e24000000000000000000000000000000000',
  /** ha_xiaomi_home asks for pushed messages with this. */
  mdidProbe: '21310020ffffffffffffffffffffffff4d444944112233445566778800000000',
  /** What an m1 answers to REQ-get_prop sent under a wrong token. */
  nak: '21310070000000000f1e2d3c0001e241ffffffffffffffffffffffffffffffff',
}

/** EX-: not python-miio's, but those of other clients; `did` and `stamp` where they differ. */
export const REQUESTS: readonly (Vector & {did?: number; stamp?: number})[] = [
  {
    name: 'REQ-miIO.info',
    plain: '{"id": 1, "method": "miIO.info", "params": []}\0',
    hex: '21310050000000000f1e2d3c0001e241d06d86888b88f62335e9f6780e4cec041408117c5dfc72e1cc83927feed91c8df6e8f0edab1f9620d9a6414a901a502ca0d5b230d18e140c158285115e5332c0',
  },
  {
    name: 'REQ-get_prop',
    plain: '{"id": 2, "method": "get_prop", "params": ["power", "temperature"]}\0',
    hex: '21310070000000000f1e2d3c0001e241120d5f1bedd4ec044567fbb6490b7be3e8edab76cc64a5653c0333b556643e2599fa2de509b38c6cd9681a04e3f20070d6a19c7c57914bd1d7bf44b3ab307f5943363eafdcf3555e3a25277fbf9dc596d4254ad1267290f30ef60d893f197bb3',
  },
  {
    name: 'REQ-set_power-on',
    plain: '{"id": 3, "method": "set_power", "params": ["on"]}\0',
    hex: '21310060000000000f1e2d3c0001e241ef93a8249beb6470d653ca3e2fbb1ea190ad20df61844e173de0f0bf4044ea9d3c65f94f29e25bce43a5a85b98890f18065892d52cd20c3bcbee610abd54f54dab6f8f29d9d41e7999d745c78e032101',
  },
  {
    name: 'REQ-set_power-off',
    plain: '{"id": 4, "method": "set_power", "params": ["off"]}\0',
    hex: '21310060000000000f1e2d3c0001e24136b7b76c326831f465ccf64c67008459f329cbe4a2204dc5c71bc702f71ffbaf993bbf5508668042970443d93a1499404d3db72b903fbc4fc2b8fe631d6c9fadba18a1b617c846266b83687900bd8ca2',
  },
  {
    name: 'REQ-v1-set_on',
    plain: '{"id": 5, "method": "set_on", "params": []}\0',
    hex: '21310050000000000f1e2d3c0001e241e3323d9da0315d97223f10687254e03820864d62830b9a3350c2decb6bf9e5f87681f78d38846f5fae46f314aaeb7ba96f3ff11af7a22f7436f7a30ab3a7639f',
  },
  {
    name: 'REQ-v3-get_power',
    plain: '{"id": 6, "method": "get_power", "params": []}\0',
    hex: '21310050000000000f1e2d3c0001e241410ecb29b28d168c32b5133fb4be301935145f48a510a95abc7d7eb09314a04d54f4774ea01363a5cb2512776ad9660a71e4e7b44f6ba1aaeb8b45c2a98a54f2',
  },
  {
    name: 'REQ-miot-get',
    plain:
      '{"id": 7, "method": "get_properties", "params": [{"did": "power", "siid": 2, "piid": 1}, {"did": "electric_power", "siid": 11, "piid": 2}]}\0',
    hex: '213100b0000000000f1e2d3c0001e24119f7203cf81098fc77e5f943084e5b66be789ff5434549944383a1b4f76016dff8ac163ebe3c36f195b9a60dee14de84891315385138eb456b11c981597aa514a5f23802d63708e303b59a43afb628cd0963ebfbd58a789fb036e87df6fe9d6e6edf93529ccf552fbc1193d357b9628417d2291e0d7d774721f2c8b0976fe0246fa9c135fa9c0c0fc64755ca2791fb65bdd711eedc98fd790623d5ca5f372603',
  },
  {
    name: 'REQ-miot-set',
    plain:
      '{"id": 8, "method": "set_properties", "params": [{"did": "set-2-1", "siid": 2, "piid": 1, "value": true}]}\0',
    hex: '21310090000000000f1e2d3c0001e241485fb42a366cddb413c8ef6480183b8c675a55293adfa09d37f5d122385d2ebf11ab7078b583317f4dc4f84b30880852c19eb70c354205c0a0fc26b63ca00417df5ebe543036fe4926370108312c9478bc65e2e3ac8abe3f26ba83a581a587542a3528e85f11f1843c2594d0481eb245c7e3ff6b84f6538ab42db1d67450e5e9',
  },
  {
    name: 'REQ-miot-action',
    plain: '{"id": 9, "method": "action", "params": {"did": "call-2-1", "siid": 2, "aiid": 1, "in": []}}\0',
    hex: '21310080000000000f1e2d3c0001e24177bb183836604ff7d2264eb43cd0a2316914df431dafa8b26ae1d24be2bc0be15bf19e850508d0423a27b890d6e878e534aa34b7fd4fea032058b71feb4a5bc1a6ac83bff8aa1549eb26f3e25c29a2395bfe55f844a6c612446545b2f7476a6b5dd179d2554d1e64d5783c018912b643',
  },
  {
    name: 'EX-node-set_power',
    plain: '{"method":"set_power","params":["on"],"id":3}',
    hex: '21310050000000000f1e2d3c0001e2405b7082ced551c70460fb103e21b017630e1c80929b1630eb5653eb84b9de89a8050b9786934d5f4a67054ff7c549364a265c1f60eb730b8186bb5c7ec71db088',
    stamp: HELLO_STAMP,
  },
  {
    name: 'EX-did64',
    plain:
      '{"id": 1073741824, "from": "ha.xiaomi_home", "method": "get_properties", "params": [{"did": "5000000001", "siid": 2, "piid": 1}]}',
    hex: '213100b0000000012a05f2010001e2416efbfb56fec0bc6d563a506817be1f67ffd958d4a4e3edae8f440f5b280cb4e4fab0c4d1fccaa826588e6e26db4c1d3ec90218d4b3d030389e04e572a863a229581fbbc178721685decdc63ec6e6875256633b6f39a04c47f79fc8c80bc5cbb4fe1a6e4f5448a449cf86cd4378a9184440b982f9e837516bf9f2da32ab9c9e8699b5258af2a3e45d5166ee23281ff637efb72a7865d35b8e93c3d57c191ccc2b',
    did: 5_000_000_001,
  },
]

export const RESPONSES: readonly Vector[] = [
  {
    name: 'RES-info',
    plain:
      '{"id":1,"result":{"life":123456,"uid":1234567890,"model":"chuangmi.plug.m1","token":"5a3c1f0e9d8b7a695847362514039281","fw_ver":"1.2.4_16","hw_ver":"MW300","mac":"28:6C:07:0A:0B:0C","mmfree":30312,"ap":{"ssid":"lab","bssid":"F0:B4:29:00:00:01","rssi":-52,"primary":6},"netif":{"localIp":"192.168.1.40","mask":"255.255.255.0","gw":"192.168.1.1"}}}\0',
    hex: '21310180000000000f1e2d3c0001e2418bd1ee4a2e67495a1e8ee5af633e0d380120cd465963cea24f71816ce5b0bd9f91962c7972647f67b9e57489a8e5edfa73ce7ff6d0bb18150b6e2466be98375fa0da77e7fcb415606c465446ac8aedbfeacdc1ed1110db928d6d359096a5c78549138613cab21f90763482ef328d957569fedf0ac933ff038c9c0ab33df9de3b73f7b99bda22686ea000ba58d5df53ac3d6b30eab68dd93a8ffcd88c315cf19cff8407153e9c5258a2dcdd875397c02197d459b8aaec83780d50577760dd69744cd5eb3b8102cc2cd8330fa11056fe5122bffc5284dfa7fcfe61a8dc5884b8774a61061e1744d02b015aa7f038960c679bae3980c2cb17355bcbf868ccf7291ca16231dd4f5690f606a7b371446cd0d2115230f884e6ba5e749f9b94585125e50afff7c4e5b5185458a330e506a1a623bc2fc29cba927cd528fe3461161c5a41fe82ae6097a38e6505b6941dc0dc526748279850e640e5742b9a0eec7415ba41aeede7274d974cd24858c4f8740dc299',
  },
  {
    name: 'RES-get_prop',
    plain: '{"result":["on",32],"id":2}\0',
    hex: '21310040000000000f1e2d3c0001e241c7e62ff764cd5a41d9cad5972b7c46d357114f4a4a866ca0f4f842c1e58baf545e1377bf6a99ec5938560e3de1ca64dc',
  },
  {
    name: 'RES-ok',
    plain: '{"result":["ok"],"id":3}\0',
    hex: '21310040000000000f1e2d3c0001e241a87b7e163502e5c50ff29368d6c422424e0df67e3576264b98da639458691d452750c0e640e403ae13f4b33a4a2d89d8',
  },
  {
    name: 'RES-get_power',
    plain: '{"id":6,"result":[300],"exe_time":340}\0',
    hex: '21310050000000000f1e2d3c0001e2415980c7d50483747503f9ccae4bec49073412baa57a70dab155386278577c8b351d59f12ef67a79fefb9a383a5f3e3d969a8a2f8edf084e5915b62188b53d8f25',
  },
  {
    name: 'RES-v1-get_prop',
    plain: '{"result":[true,false,41],"id":5}\0',
    hex: '21310050000000000f1e2d3c0001e241c85c7edecdbf09226d7e3a9a286e542e93fe8921262552133ea0565cdb05c02b666aecd04afa294dae96f4df93f7922a1f1706be63f7b02c0b5edcf1f6aa0ba8',
  },
  {
    name: 'RES-err-9999',
    plain: '{"id":2,"error":{"code":-9999,"message":"user ack timeout"}}\0',
    hex: '21310060000000000f1e2d3c0001e241029d50f35116969e1aa71bad0fac75b3a7ab7b181d957566deb667f8c8d473e14b0efa365ccea1211417cb48d2143982df9be3174b466664f72bffde0948443a7563f5b4b4233c46f10f69495dcf9ff2',
  },
  {
    name: 'RES-err-10000',
    plain: '{"id":7,"error":{"code":-10000,"message":"Method not found."}}\0',
    hex: '21310060000000000f1e2d3c0001e241589d978bfd9c72c1ab9d095a77888a97acce1f6c26becd51690a22cbe5ef4df7dd0559b8aef5583798fbfbd9254181bc5b7c49893c28f4dfdfac2306abef950bf510fcbc79800db5aac7ca93f886990b',
  },
  {
    name: 'RES-err-30001',
    plain: '{"id":2,"error":{"code":-30001,"message":"Resp invalid json."}}\0',
    hex: '21310070000000000f1e2d3c0001e2410a3f4116e0a1488f7cb46a788daeb0a9a7ab7b181d957566deb667f8c8d473e13761b36c3833a4ad7716b32aeede458505dde11cd4df4b9b7ecdddedd624b30e25de498a456d72269a9006376ccf32a7a0e63145267ce4b9da3d2be1b5e4abe7',
  },
  {
    name: 'RES-err-5001',
    plain: '{"error":{"code":-5001,"message":"invalid_arg"},"id":3}\0',
    hex: '21310060000000000f1e2d3c0001e24107ce2a6d98cf6ff5dc84b668de85bcaa700f75cb1edb341753cfab333a216583b2515b83dda61a60122ca5a641c615ce9292d173e19338b9198a1598faef389dfb6a10c569e12060f9efa6ff7c3b7abb',
  },
  {
    name: 'RES-miot-get',
    plain:
      '{"id":7,"result":[{"did":"power","siid":2,"piid":1,"code":0,"value":true},{"did":"electric_power","siid":11,"piid":2,"code":0,"value":7}],"exe_time":20}\0',
    hex: '213100c0000000000f1e2d3c0001e241a3e81dba50b56b9eb10f1eb4f4d927f5f9841237797818961cd83cf55ca93b82d7a90b92b0a1af043d706c3811038dac3b047f9f3575e0c6213b18e39b0de8cea90ba1ccd1e92b9afcfea8243ce1e142b52f26f89808bd0d5b2be6acba44da7104496ec9f36d17ad936a13f0f57704b27cafeb51d96e40ee2393dc9c35587a8c9f48d7495f6445ca4b11c88e2398a8467115065d8f9a3ff4490200bb05ba9c4fda40562bf4f21391c3f36173156c412e',
  },
  {
    name: 'RES-miot-get-mixed',
    plain:
      '{"id":7,"result":[{"did":"power","siid":2,"piid":1,"code":0,"value":true},{"did":"electric_power","siid":11,"piid":2,"code":-4004}]}\0',
    hex: '213100b0000000000f1e2d3c0001e241e690fe6591d7d9638f10745d68de1d24f9841237797818961cd83cf55ca93b82d7a90b92b0a1af043d706c3811038dac3b047f9f3575e0c6213b18e39b0de8cea90ba1ccd1e92b9afcfea8243ce1e142b52f26f89808bd0d5b2be6acba44da7104496ec9f36d17ad936a13f0f57704b27cafeb51d96e40ee2393dc9c35587a8c3b8398d8249fadf33124a600e80768b83f8a37f85dcb9b7cebda6c2aeffc95ff',
  },
  {
    name: 'RES-miot-set',
    plain: '{"id":8,"result":[{"did":"set-2-1","siid":2,"piid":1,"code":0}]}\0',
    hex: '21310070000000000f1e2d3c0001e2416015fbc29d0ef9020409c7fd9a8a5a1a29ea3e66ba8e395dda6fdff233bcbe8371436d548cde5ac01e617ccc81852cd5f63ddb56b8a27488e0afc0c6d60315676e1908e26208fc0646d47b2a9d7a29eeb78c9600eb3bb25be7dc02b08275182a',
  },
  {
    name: 'RES-miot-set-fail',
    plain: '{"id":8,"result":[{"did":"set-2-1","siid":2,"piid":1,"code":-4005}]}\0',
    hex: '21310070000000000f1e2d3c0001e241c292c993d67f1b07535a824dcd4f3ee229ea3e66ba8e395dda6fdff233bcbe8371436d548cde5ac01e617ccc81852cd5f63ddb56b8a27488e0afc0c6d6031567c570dc0222f09ba4d3cd6adca3da6b6aeba5563c65097340d6f0ee6402f5508f',
  },
  {
    name: 'RES-miot-action',
    plain: '{"id":9,"result":{"did":"call-2-1","siid":2,"aiid":1,"code":0,"out":[]}}\0',
    hex: '21310070000000000f1e2d3c0001e24117e9900b2a41746bff0c55fc19a6d6b3e5ac498b62b0e1df858a0f5cbf278a59b35ffb046a1a194fabf09e59e0df75b765b505d546d330b8360f58eff7a314692eb38fe4cdc11c2a97fd925bef50dd3e4788294d1c4dfd719660718e6e69b622',
  },
  {
    name: 'RES-ok-noNUL',
    plain: '{"result":["ok"],"id":3}',
    hex: '21310040000000000f1e2d3c0001e241342fd3a0cfd7bdac00331377eba489224e0df67e3576264b98da639458691d45d3c3afc9bfddaf18c5864232019e09ad',
  },
  {
    name: 'RES-blockboundary',
    plain: '{"id":10,"result":["ok"]}      \0',
    hex: '21310050000000000f1e2d3c0001e2414d4f311734ca493c29319bc8f33b51a2a0dac3be86b5bc52da45c2bd2aa53e798dfad04c23afdbd6ab918ee62a795b616c774e0b88bbe191ffe16a4da940e578',
  },
]

/** Authentic packets whose payload is not quite JSON: what becomes of each, and why. */
export type BadJson = Vector & {why: string} & (
    | {repairs: string[]; result: unknown; id: number}
    | {refused: RegExp}
  )

export const BAD_JSON: readonly BadJson[] = [
  {
    name: 'Q-otu_stat',
    plain:
      '{"id":11,"result":{"model":"zimi.powerstrip.v2","ott_stat":[0,0,0,0],,"otu_stat":[320,267,3,0,3,742]}}\x00',
    hex: '21310090000000000f1e2d3c0001e241f3d1aa73808476e0f1e9cdacbea5939ced8bcbcbb019a0d89ec42f2279699709ca027caee6e509d5767f7c111091e189dc67830225e90bfb591a2efd971a5f4096d75145e1f63aeae1dd6ed3bd4c58bcb6347eadde147ba9a3a9927b0b75bc454dc2d3da69fb169413e543b2427fdecd135812f84d62c62c1d392f92db94fe4a',
    why: 'members have names, so a comma too many moves nothing',
    repairs: ['empty_member'],
    id: 11,
    result: {model: 'zimi.powerstrip.v2', ott_stat: [0, 0, 0, 0], otu_stat: [320, 267, 3, 0, 3, 742]},
  },
  {
    name: 'Q-tail-after-NUL',
    plain: '{"id":12,"result":["ok"]}\x00k',
    hex: '21310040000000000f1e2d3c0001e241fc01059e4fcd48365a72d36e6fa6fa0ab36ba1b82ccc030456b5ab522a3447ce544cdcb192d1b3a1fb77317b51263ef4',
    why: 'a text in C ends at its NUL',
    repairs: ['text_after_nul'],
    id: 12,
    result: ['ok'],
  },
  {
    name: 'Q-multi-NUL',
    plain: '{"id":12,"result":["ok"]}\x00\x00\x00\x00',
    hex: '21310040000000000f1e2d3c0001e24199ad80d5ebb3a4dced3cb833bd7cb833b36ba1b82ccc030456b5ab522a3447ce896a90d85a32a408bc4b3bf6c3e849c5',
    why: 'how many NULs end a text means nothing',
    repairs: [],
    id: 12,
    result: ['ok'],
  },
  {
    name: 'Q-value00',
    plain: '{"id":13,"result":[{"did":"a","siid":2,"piid":1,"code":0,"value":00}]}\x00',
    hex: '21310070000000000f1e2d3c0001e241b18cf54ca75c3c8865cbe8bcb4140c18877fb5f7414e214b96892e66da2e950d5bdf22ff0f8e1459f0284f5978f0865914dcd556b22d22cf0ea5cc46c9ab067696f05da46d05ec3eb7274a203788be5738529ad244dc7476cecdf32a7776b075',
    why: 'zero however often is zero',
    repairs: ['double_zero'],
    id: 13,
    result: [{did: 'a', siid: 2, piid: 1, code: 0, value: 0}],
  },
  {
    name: 'Q-doublecomma',
    plain: '{"id":14,"result":["on",,32]}\x00',
    hex: '21310040000000000f1e2d3c0001e241d65b9a5c6d36a112508ec20563f2b92a782f9d34f095142b7febe006c9fd75e7f13a2b2c4fa1fe9db8aa9ba160b29a2b',
    why: 'the plug knew no value for the second name, and the third stays the third',
    repairs: ['empty_slot'],
    id: 14,
    result: ['on', null, 32],
  },
  {
    name: 'Q-result-empty',
    plain: '{"id":15,"result":,"exe_time":0}\x00',
    hex: '21310050000000000f1e2d3c0001e241bd916a133509d5a7b50699ce6c55c46d3df824f0025c10fb9ec0bc80d984942ecd45c3de1c16c0df043764ed40a1de1f53aecd03414b86c8451cbaa1838018ad',
    why: 'the plug names a result without a value',
    repairs: ['empty_value'],
    id: 15,
    result: null,
  },
  {
    name: 'Q-qmi-allcommas',
    plain: '{"result":[,,,,,,,],"id":1}\x00',
    hex: '21310040000000000f1e2d3c0001e2414a6bc9df31c7c2cb8c600d140068caa95d651af5ddc2ea12dd118fcdc380dc39b0eac43098e6e39f736da8dea5849dd9',
    why: 'eight names were asked, seven commas came: eight slots',
    repairs: ['empty_slot'],
    id: 1,
    result: [null, null, null, null, null, null, null, null],
  },
  {
    name: 'Q-one-comma',
    plain: '{"result":[,],"id":1}\x00',
    hex: '21310040000000000f1e2d3c0001e24199698a4f0ffd3e1077823c3a71e9f13baba29a7239c8eab9f2f91728225d268f11f29ab65f94dd2950f4bcc9c7d626b3',
    why: 'two names, one comma',
    repairs: ['empty_slot'],
    id: 1,
    result: [null, null],
  },
  {
    name: 'Q-missing-comma',
    plain:
      '{"id":2,"result":[{"did":"switch:on","siid":2,"piid":1,"code":0,"value":false}{"did":"indicator-light:on","siid":3,"piid":1,"code":0,"value":true}]}\x00',
    hex: '213100c0000000000f1e2d3c0001e2411a21637c748c0b22bfc0b98aac4ef1b1212a34a0feb83d385b0c8da4a67cac55e1dda9c31f5b4184cf2ef647f50a9c10bfe3869afc39b7dba244b80d325e2e0f02d261f0880ba45adb14457dffbf85cb681efdc5084e467792abce1da75d28db23724e7b6887ec9bd642da6e9fb21c2c7fdc51389db22dc5ba887b49d2dca77ac244f141a759d67c645300d4b425d182a9eefa2f80e3bd4b78cdf72ad902f5bd4d7a0703ee08e04f1d0f10fba94b39a4',
    why: 'nothing else can stand between two objects of a list',
    repairs: ['missing_comma'],
    id: 2,
    result: [
      {did: 'switch:on', siid: 2, piid: 1, code: 0, value: false},
      {did: 'indicator-light:on', siid: 3, piid: 1, code: 0, value: true},
    ],
  },
  {
    name: 'Q-ctrl-char',
    plain: '{"id":16,"result":["a\x01b"]}\x00',
    hex: '21310040000000000f1e2d3c0001e2416e6e3d348faabafe157c77bf6004d48e236f0961ea3e5bcd095473b076e7c25c5e958048f01acc1669deb15e42f48b84',
    why: 'kept: a word without its damage might be another word',
    repairs: ['control_character'],
    id: 16,
    result: ['a\u0001b'],
  },
  {
    name: 'Q-leading-NUL',
    plain: '\x00{"id":17,"result":["ok"]}',
    hex: '21310040000000000f1e2d3c0001e241fdfc2cf1b438d34b1a95dfd86c8e253a1c85fe6ab12f2e7e4091b8b3b043b9671746a93a60114513977b49b5e442086f',
    why: 'left over from an answer before',
    repairs: ['leading_nul'],
    id: 17,
    result: ['ok'],
  },
  {
    name: 'Q-empty',
    plain: '\x00',
    hex: '21310030000000000f1e2d3c0001e24166b91e6991594594c1fe10eb9c6292ea568b2f01a96939d4d912a66cf846e156',
    why: 'nothing was sent',
    refused: /got nothing/,
  },
  {
    name: 'Q-zero-bytes',
    plain: '',
    hex: '21310030000000000f1e2d3c0001e241eae7795ed2c1e1d1f8035f5e3f46b7d6e64bfec5d47d2fb61caf747b448291db',
    why: 'nothing was sent',
    refused: /got nothing/,
  },
  {
    name: 'Q-bad-utf8',
    plain: '{"id":18,"result":["\xff\xfe"]}\x00',
    hex: '21310040000000000f1e2d3c0001e24142d12e3be7a7bc0503d4f3dc20dd8f7f6ca0b58d2a8d9215fd777f3d5b5cfe2df00daf8b5344e2e7e4467062ad683917',
    why: 'a network name may be any bytes, and spoils only itself',
    repairs: ['invalid_utf8'],
    id: 18,
    result: ['\ufffd\ufffd'],
  },
  {
    name: 'Q-not-object',
    plain: '[1,2,3]\x00',
    hex: '21310030000000000f1e2d3c0001e241002819fa0c7c4cff7b34de909d7494d5a445d350e0ada5940548e6f44e20ed73',
    why: 'no id, so it answers nothing',
    refused: /expected a JSON object, got an array/,
  },
  {
    name: 'Q-truncated-json',
    plain: '{"id":19,"result":["on",3',
    hex: '21310040000000000f1e2d3c0001e2411ba92b68fbc33f614d3e31e1e5427f969e6a1754f7991c74f98021c14fb1ed13fb50ee78cf85cb2ce64c715418694ada',
    why: 'what is missing might have mattered',
    refused: /expected JSON/,
  },
  {
    name: 'Q-nan',
    plain: '{"id":20,"result":[nan]}\x00',
    hex: '21310040000000000f1e2d3c0001e2415b28a9184be098639fd49f5ef0c41bce1bf6cd970a9ef8a6b4371d89c93b9a28d4ac4155aef5f9ac3117e3332f31a835',
    why: 'a sensor without a value: unknown',
    repairs: ['not_a_number'],
    id: 20,
    result: [null],
  },
  {
    name: 'Q-dup-keys',
    plain: '{"id":21,"result":["off"],"result":["on"]}\x00',
    hex: '21310050000000000f1e2d3c0001e2417f44c82d9a7c5848d38e3c167e3bb47dde6cf2e2d43208919167db504d7c12220cc88a0c72e3a5f96c697bc8dd6c16e7ac7fb2f8e59cfc070e1f03acad5b2dd2',
    why: 'on or off? A guess would be shown as the truth',
    refused: /expected one member "result", got two/,
  },
  {
    name: 'Q-trailing-comma',
    plain: '{"id":22,"result":["on",]}\x00',
    hex: '21310040000000000f1e2d3c0001e2417e554bcb0b63d52eacd5c554cfa739be6e3d9098de5a13354dab4f662589485bfdbad8f2a2a5fc6405ddd445c5d154ff',
    why: 'n commas are n + 1 slots here, too, and the first stays the first',
    repairs: ['empty_slot'],
    id: 22,
    result: ['on', null],
  },
]

/** Malformed packets: at which check each one ends, and why there. `checksum`: a ChecksumMismatch, `shape`: MalformedPacket. */
export interface BadPacket {
  name: string
  hex: string
  outcome: 'accepted' | 'shape' | 'checksum' | 'nak'
  why: string
}

export const BAD_PACKETS: readonly BadPacket[] = [
  {
    name: 'M-base',
    hex: '21310040000000000f1e2d3c0001e241a87b7e163502e5c50ff29368d6c422424e0df67e3576264b98da639458691d452750c0e640e403ae13f4b33a4a2d89d8',
    outcome: 'accepted',
    why: 'nothing is wrong with it: all the others are this one, changed',
  },
  {
    name: 'M-bad-checksum',
    hex: '21310040000000000f1e2d3c0001e241a87b7e163402e5c50ff29368d6c422424e0df67e3576264b98da639458691d452750c0e640e403ae13f4b33a4a2d89d8',
    outcome: 'checksum',
    why: 'one bit of the checksum differs',
  },
  {
    name: 'M-flip-cipher',
    hex: '21310040000000000f1e2d3c0001e241a87b7e163502e5c50ff29368d6c422424e0df67e3576264b98da639458691d452750c0e640e403ae13f4b33a4a2d89d9',
    outcome: 'checksum',
    why: 'the checksum covers the payload',
  },
  {
    name: 'M-flip-stamp',
    hex: '21310040000000000f1e2d3c0000e241a87b7e163502e5c50ff29368d6c422424e0df67e3576264b98da639458691d452750c0e640e403ae13f4b33a4a2d89d8',
    outcome: 'checksum',
    why: 'the checksum covers the stamp',
  },
  {
    name: 'M-wrong-token',
    hex: '21310040000000000f1e2d3c0001e2410380edc9cce14869d1dc7a6596bf29e5483739f5a77d4834d743331ec0158ed2e121d5fec6ca8fd49fc65e3ac839c0b4',
    outcome: 'checksum',
    why: 'another token made it',
  },
  {
    name: 'M-trunc-cipher',
    hex: '21310040000000000f1e2d3c0001e241a87b7e163502e5c50ff29368d6c422424e0df67e3576264b98da639458691d452750c0e640e403ae13',
    outcome: 'shape',
    why: 'the header promises 7 bytes more',
  },
  {
    name: 'M-trunc-cipher-block',
    hex: '21310040000000000f1e2d3c0001e241a87b7e163502e5c50ff29368d6c422424e0df67e3576264b98da639458691d45',
    outcome: 'shape',
    why: 'the header promises 16 bytes more',
  },
  {
    name: 'M-trunc-32',
    hex: '21310040000000000f1e2d3c0001e241a87b7e163502e5c50ff29368d6c42242',
    outcome: 'shape',
    why: 'as short as a NAK, but its slot is not FF; its checksum must not become our token',
  },
  {
    name: 'M-trunc-31',
    hex: '21310040000000000f1e2d3c0001e241a87b7e163502e5c50ff29368d6c422',
    outcome: 'shape',
    why: 'shorter than a header',
  },
  {
    name: 'M-trunc-16',
    hex: '21310040000000000f1e2d3c0001e241',
    outcome: 'shape',
    why: 'shorter than a header',
  },
  {name: 'M-trunc-3', hex: '213100', outcome: 'shape', why: 'shorter than a header'},
  {name: 'M-empty', hex: '', outcome: 'shape', why: 'shorter than a header'},
  {
    name: 'M-magic-nofix',
    hex: '22310040000000000f1e2d3c0001e241a87b7e163502e5c50ff29368d6c422424e0df67e3576264b98da639458691d452750c0e640e403ae13f4b33a4a2d89d8',
    outcome: 'shape',
    why: 'another magic is another protocol',
  },
  {
    name: 'M-magic-goodcks',
    hex: '21320040000000000f1e2d3c0001e241ef2b0c0b6f9857ff8e21eeac180e94164e0df67e3576264b98da639458691d452750c0e640e403ae13f4b33a4a2d89d8',
    outcome: 'shape',
    why: 'another magic is another protocol, whatever the checksum',
  },
  {
    name: 'M-trail-5',
    hex: '21310040000000000f1e2d3c0001e241a87b7e163502e5c50ff29368d6c422424e0df67e3576264b98da639458691d452750c0e640e403ae13f4b33a4a2d89d8deadbeef00',
    outcome: 'shape',
    why: '5 bytes that no checksum covers; an m1 would ignore them, but no plug sends them',
  },
  {
    name: 'M-trail-16',
    hex: '21310040000000000f1e2d3c0001e241a87b7e163502e5c50ff29368d6c422424e0df67e3576264b98da639458691d452750c0e640e403ae13f4b33a4a2d89d855555555555555555555555555555555',
    outcome: 'shape',
    why: '16 bytes that no checksum covers',
  },
  {
    name: 'M-len-short-goodcks',
    hex: '21310030000000000f1e2d3c0001e241bdf11d3df8700fb50b80d3f505d13c314e0df67e3576264b98da639458691d452750c0e640e403ae13f4b33a4a2d89d8',
    outcome: 'shape',
    why: 'the header has 48 bytes, 64 came',
  },
  {
    name: 'M-len-long-goodcks',
    hex: '21310050000000000f1e2d3c0001e241cc783a64f64d7d72bbf4c17fde43217b4e0df67e3576264b98da639458691d452750c0e640e403ae13f4b33a4a2d89d8',
    outcome: 'shape',
    why: 'the header has 80 bytes, 64 came',
  },
  {
    name: 'M-len-0-goodcks',
    hex: '21310000000000000f1e2d3c0001e241cf81eb4226788f78eb005315db05fb104e0df67e3576264b98da639458691d452750c0e640e403ae13f4b33a4a2d89d8',
    outcome: 'shape',
    why: 'the header has 0 bytes',
  },
  {
    name: 'M-len-32-goodcks',
    hex: '21310020000000000f1e2d3c0001e241c6bac401ab83218658ab407e126df7cc4e0df67e3576264b98da639458691d452750c0e640e403ae13f4b33a4a2d89d8',
    outcome: 'shape',
    why: 'the header is that of a hello reply, and a payload follows',
  },
  {
    name: 'M-len-32-badcks',
    hex: '21310020000000000f1e2d3c0001e241aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa4e0df67e3576264b98da639458691d452750c0e640e403ae13f4b33a4a2d89d8',
    outcome: 'shape',
    why: 'the length at which python-miio forgets to verify the checksum',
  },
  {
    name: 'M-unk-ffffffff',
    hex: '21310040ffffffff0f1e2d3c0001e241b305d5d8580331307e3460d88ee349fe4e0df67e3576264b98da639458691d452750c0e640e403ae13f4b33a4a2d89d8',
    outcome: 'shape',
    why: 'all eight bytes are the device id, and no plug has that one',
  },
  {
    name: 'M-badpad-goodcks',
    hex: '21310040000000000f1e2d3c0001e241b651e2625b981314995ecfce689cd36a000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f',
    outcome: 'shape',
    why: 'the checksum is right and the padding is not: ciphertext must not pass for a payload',
  },
  {
    name: 'M-cipher17-goodcks',
    hex: '21310031000000000f1e2d3c0001e2414d0ae474a81cb976277ed8c155878e8c000102030405060708090a0b0c0d0e0f10',
    outcome: 'shape',
    why: '17 bytes are no whole number of cipher blocks',
  },
  {
    name: 'M-hello-as-len64',
    hex: '21310040000000000f1e2d3c0001e240ffffffffffffffffffffffffffffffff',
    outcome: 'nak',
    why: 'the exact shape of a "checksum wrong": whether it belongs to a request is decided by the client',
  },
]
