import { fileURLToPath } from 'node:url'

/** Where copies go: a mounted folder, another machine by SFTP, or a bucket of an S3 service. */
export type Place =
  | { kind: 'folder'; path: string }
  | {
      kind: 'sftp'
      user: string
      host: string
      port: number
      path: string
      /** The private key; without one OpenSSH looks where it always does. */
      keyFile: string | undefined
      knownHostsFile: string | undefined
    }
  | {
      kind: 's3'
      bucket: string
      /** Without slashes at its ends; may be empty. */
      prefix: string
      /** Of a service other than Amazon's. */
      endpoint: string | undefined
      region: string
      accessKeyId: string
      secretAccessKey: string
    }

/** The settings that places share, as they were given. */
export type PlaceAccess = {
  sftpKeyFile: string | undefined
  sftpKnownHostsFile: string | undefined
  s3Endpoint: string | undefined
  awsRegion: string | undefined
  awsAccessKeyId: string | undefined
  awsSecretAccessKey: string | undefined
}

const forms = 'must be a folder (/mnt/… or file:///mnt/…), sftp://USER@HOST/FOLDER or s3://BUCKET/PREFIX'

/** Reads a place. Throws an Error whose message goes on after the name of the setting, and repeats no secret. */
export function readPlace(text: string, access: PlaceAccess): Place {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they would end a line of what is sent to sftp.
  if (/[\u0000-\u001f\u007f]/.test(text)) throw new Error('must not hold control characters.')
  if (text.startsWith('/')) return { kind: 'folder', path: text.replace(/(?<=.)\/+$/, '') }
  if (!URL.canParse(text)) throw new Error(`${forms}.`)
  const url = new URL(text)
  if (url.search || url.hash) throw new Error(`${forms}, without anything after a ? or #.`)
  if (url.password) throw new Error('must hold no password: SFTP logs in with a key, S3 with AWS_ACCESS_KEY_ID.')
  if (url.protocol === 'file:' && url.host === '') return readPlace(fileURLToPath(url), access)
  if (url.protocol === 'sftp:') return readSftp(url, access)
  if (url.protocol === 's3:') return readS3(url, access)
  throw new Error(`${forms}.`)
}

function readSftp(url: URL, { sftpKeyFile, sftpKnownHostsFile }: PlaceAccess): Place {
  const user = decodeURIComponent(url.username)
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1')
  const path = decodeURIComponent(url.pathname).replace(/\/+$/, '')
  // What begins with a hyphen would be an option of ssh.
  if (!/^\w[\w.-]*$/.test(user) || !/^[\w:][\w.:-]*$/.test(host) || path === '')
    throw new Error('must be sftp://USER@HOST/FOLDER, with a folder from the root on.')
  const port = Number(url.port || 22)
  return { kind: 'sftp', user, host, port, path, keyFile: sftpKeyFile, knownHostsFile: sftpKnownHostsFile }
}

function readS3(url: URL, { s3Endpoint, awsRegion, awsAccessKeyId, awsSecretAccessKey }: PlaceAccess): Place {
  const prefix = decodeURIComponent(url.pathname).replace(/^\/+|\/+$/g, '')
  if (!/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(url.host) || !/^[\w./-]*$/.test(prefix))
    throw new Error('must be s3://BUCKET/PREFIX, with letters, digits, dots, hyphens and slashes.')
  if (!awsAccessKeyId || !awsSecretAccessKey)
    throw new Error('is on S3: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (or AWS_SECRET_ACCESS_KEY_FILE), too.')
  return {
    kind: 's3',
    bucket: url.host,
    prefix,
    endpoint: s3Endpoint?.replace(/\/+$/, ''),
    region: awsRegion ?? 'us-east-1',
    accessKeyId: awsAccessKeyId,
    secretAccessKey: awsSecretAccessKey,
  }
}

/** A place as people read it, without anything secret. */
export function placeWords(place: Place): string {
  if (place.kind === 'folder') return place.path
  if (place.kind === 's3') return `s3://${place.bucket}${place.prefix ? `/${place.prefix}` : ''}`
  const { user, host, port, path } = place
  return `sftp://${user}@${host.includes(':') ? `[${host}]` : host}${port === 22 ? '' : `:${port}`}${path}`
}
