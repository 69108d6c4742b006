import { BlockList, isIP } from 'node:net'

/** A range as `10.0.0.0/8`, or one address. Undefined if it is neither. */
function readNetwork(text: string): { address: string; prefix: number; family: 'ipv4' | 'ipv6' } | undefined {
  const [, address = '', length] = /^([0-9a-f:.]+?)(?:\/(\d{1,3}))?$/i.exec(text) ?? []
  const version = isIP(address)
  if (version === 0) return undefined
  const longest = version === 4 ? 32 : 128
  const prefix = length === undefined ? longest : Number(length)
  return prefix > longest ? undefined : { address, prefix, family: version === 4 ? 'ipv4' : 'ipv6' }
}

export const isNetwork = (text: string) => readNetwork(text) !== undefined

/** Whether an address is in one of the ranges, separated by spaces; in none at all, every address is. */
export function isInNetworks(networks: string, ip: string): boolean {
  if (networks === '') return true
  const allowed = new BlockList()
  for (const one of networks.split(' ')) {
    const network = readNetwork(one)
    if (network) allowed.addSubnet(network.address, network.prefix, network.family)
  }
  // A dual-stack socket writes IPv4 addresses as ::ffff:192.0.2.1.
  const address = ip.replace(/^::ffff:(?=\d+\.)/i, '')
  return allowed.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4')
}
