import { Client } from 'minio'
import { z } from 'zod'
import { env, loadConfig } from '../../../shared/runtime/config.ts'
import { waitFor } from '../../../shared/runtime/wait-for.ts'

const buckets = ['images', 'videos']

/** Anyone may fetch an object by its name; nobody may list. */
function publicRead(bucket: string): string {
  const Resource = [`arn:aws:s3:::${bucket}/*`]
  const Statement = [
    { Effect: 'Allow', Principal: { AWS: ['*'] }, Action: ['s3:GetObject'], Resource },
  ]
  return JSON.stringify({ Version: '2012-10-17', Statement })
}

/** Creates the buckets that are missing, and sets what everybody may do in each. */
export async function setUpBuckets(
  url: string,
  keys: { accessKey: string; secretKey: string },
): Promise<void> {
  const { hostname: endPoint, port, protocol } = new URL(url)
  const useSSL = protocol === 'https:'
  const client = new Client({ endPoint, useSSL, ...(port && { port: Number(port) }), ...keys })
  for (const bucket of buckets) {
    // MinIO reports ready a moment before it serves requests.
    await waitFor(`the bucket ${bucket}`, async () => {
      if (!(await client.bucketExists(bucket))) await client.makeBucket(bucket)
      await client.setBucketPolicy(bucket, publicRead(bucket))
      return true
    })
  }
}

if (import.meta.main) {
  const { MINIO_URL, MINIO_ACCESS_KEY, MINIO_SECRET_KEY } = loadConfig(
    { MINIO_URL: z.url(), MINIO_ACCESS_KEY: env.text, MINIO_SECRET_KEY: env.text },
    process.env,
  )
  await setUpBuckets(MINIO_URL, { accessKey: MINIO_ACCESS_KEY, secretKey: MINIO_SECRET_KEY })
}
