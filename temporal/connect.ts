import { Connection } from '@temporalio/client'

const connectDeadlineMs = 10_000

/** gRPC's own retries. They end with the connection, and a call has two seconds of them. */
const retries = {
  methodConfig: [
    {
      name: [{}],
      retryPolicy: {
        maxAttempts: 5,
        initialBackoff: '0.2s',
        maxBackoff: '1s',
        backoffMultiplier: 2,
        retryableStatusCodes: ['UNAVAILABLE', 'RESOURCE_EXHAUSTED', 'ABORTED', 'UNKNOWN'],
      },
    },
  ],
}

/**
 * A connection of tools and launchers; close it. The retries of the SDK's client are off: one that comes due after the
 * connection was closed throws in a timer, which ends the process.
 * @throws when the server does not answer within `connectTimeout`, in ms
 */
export async function connectToTemporal(
  address: string,
  connectTimeout: number = connectDeadlineMs,
): Promise<Connection> {
  const connection = Connection.lazy({
    ...{ address, connectTimeout, interceptors: [] },
    channelArgs: { 'grpc.service_config': JSON.stringify(retries) },
  })
  try {
    await connection.ensureConnected()
    return connection
  } catch (error) {
    await connection.close()
    throw error
  }
}
