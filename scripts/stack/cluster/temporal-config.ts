import { join } from 'node:path'
import { type TemporalPorts, temporalServices } from './ports.ts'

const host = '127.0.0.1'
const dynamicConfig = join(import.meta.dirname, '../../../temporal/dynamic-config.json')
/** Of each of the four parts of a process. */
const maxConnections = { temporal: 6, temporal_visibility: 2 }
/** Fixed for the life of the database. */
const historyShards = 4

type Store = keyof typeof maxConnections

function datastore(name: Store, poolerPort: number, password: string) {
  const connections = maxConnections[name]
  return {
    sql: {
      pluginName: 'postgres12',
      databaseName: name,
      connectAddr: `${host}:${poolerPort}`,
      connectProtocol: 'tcp',
      user: 'temporal',
      password,
      maxConns: connections,
      maxIdleConns: connections,
      maxConnLifetime: '1h',
    },
  }
}

/** The configuration file of one process, which is all four parts of a server. */
export function temporalConfig(
  ports: TemporalPorts,
  gateway: { temporal: number; postgres: number },
  password: string,
) {
  const services = temporalServices.map((service) => {
    const { grpc, membership } = ports[service]
    return [service, { rpc: { grpcPort: grpc, membershipPort: membership, bindOnIP: host } }]
  })
  return {
    log: { stdout: true, level: 'warn' },
    persistence: {
      defaultStore: 'temporal',
      visibilityStore: 'temporal_visibility',
      numHistoryShards: historyShards,
      datastores: {
        temporal: datastore('temporal', gateway.postgres, password),
        temporal_visibility: datastore('temporal_visibility', gateway.postgres, password),
      },
    },
    // The processes find each other by a table of the database, and then ask each other who is alive.
    global: { membership: { maxJoinDuration: '30s', broadcastAddress: host } },
    services: Object.fromEntries(services),
    clusterMetadata: {
      enableGlobalNamespace: false,
      failoverVersionIncrement: 10,
      masterClusterName: 'active',
      currentClusterName: 'active',
      clusterInformation: {
        active: {
          enabled: true,
          initialFailoverVersion: 1,
          rpcName: 'frontend',
          rpcAddress: `${host}:${gateway.temporal}`,
        },
      },
    },
    dcRedirectionPolicy: { policy: 'noop' },
    dynamicConfigClient: { filepath: dynamicConfig, pollInterval: '60s' },
  }
}

/**
 * One address for both frontends: Traefik gives each of them every second connection. Without health checks: where both
 * are slow, a connection had none. A client whose frontend is gone is refused, connects again, and has the other one.
 */
export function gatewayConfig(frontends: number[]) {
  return {
    tcp: {
      routers: {
        temporal: { entryPoints: ['temporal'], rule: 'HostSNI(`*`)', service: 'temporal' },
      },
      services: {
        temporal: {
          loadBalancer: {
            servers: frontends.map((port) => ({ address: `${host}:${port}` })),
          },
        },
      },
    },
  }
}

export function uiConfig(ports: { temporal: number; temporalUi: number }) {
  return {
    host,
    port: ports.temporalUi,
    enableUi: true,
    temporalGrpcAddress: `${host}:${ports.temporal}`,
    defaultNamespace: 'shop',
    cors: { allowOrigins: [`http://localhost:${ports.temporalUi}`] },
  }
}
