import type { NetworkInterfaceInfo } from 'node:os'
import * as assert from 'uvu/assert'
import { hostsOf } from '../../server/hosts.ts'
import { suite } from '../util/suite.ts'

const test = suite('server/hosts')

const at = (address: string, internal = false): NetworkInterfaceInfo =>
  ({ address, internal, family: address.includes(':') ? 'IPv6' : 'IPv4' }) as NetworkInterfaceInfo
const INTERFACES = {
  lo: [at('127.0.0.1', true), at('::1', true)],
  eth0: [at('fe80::1'), at('2001:db8::5'), at('192.168.1.20')],
  usb0: [at('169.254.3.4'), at('10.0.0.7')]
}

test('who listens on every address is found by localhost here, and elsewhere by those of the interfaces', () => {
  assert.equal(hostsOf('0.0.0.0', INTERFACES), ['localhost', '192.168.1.20', '10.0.0.7'])
  assert.equal(hostsOf('::', INTERFACES), ['localhost', '192.168.1.20', '10.0.0.7', '[2001:db8::5]'])
  assert.equal(hostsOf('0.0.0.0', { lo: INTERFACES.lo }), ['localhost'])
})

test('who listens on one address is found by that one', () => {
  assert.equal(hostsOf('127.0.0.1', INTERFACES), ['127.0.0.1'])
  assert.equal(hostsOf('::1', INTERFACES), ['[::1]'])
  assert.equal(hostsOf('reader.lan', INTERFACES), ['reader.lan'])
})

test.run()
