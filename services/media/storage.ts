import { Client } from 'minio'

export type StorageConfig = {
  MINIO_URL: string
  MINIO_ACCESS_KEY: string
  MINIO_SECRET_KEY: string
}

/** The object storage. It speaks plain HTTP requests, so there is no connection to close. */
export function createStorage(config: StorageConfig) {
  const url = new URL(config.MINIO_URL)
  const client = new Client({
    endPoint: url.hostname,
    ...(url.port && { port: Number(url.port) }),
    useSSL: url.protocol === 'https:',
    accessKey: config.MINIO_ACCESS_KEY,
    secretKey: config.MINIO_SECRET_KEY,
    retryOptions: { disableRetry: true },
  })

  return {
    /** For `/health/ready`; keys that are refused count as no answer. */
    async answers(): Promise<boolean> {
      await client.listBuckets()
      return true
    },
  }
}
