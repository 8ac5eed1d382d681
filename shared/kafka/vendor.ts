import { createRequire } from 'node:module'
import './record-batch-patch.ts'
import './timer-patch.ts'
import { codecs } from './codecs.ts'

/*
 * The one file that loads kafkajs, with what it lacks: codecs, and two patches of its internals, each in a file of its
 * own that says why. It is loaded by `require` because a patch must be in place before the rest of the library is.
 */

/** The version that the patches were written for: read them again before another one is installed. */
export const patchedVersion = '2.2.4'

const kafkajs: typeof import('kafkajs') = createRequire(import.meta.url)('kafkajs')

for (const [type, codec] of Object.entries(codecs)) {
  kafkajs.CompressionCodecs[kafkajs.CompressionTypes[type as keyof typeof codecs]] = () => codec
}

export const {
  AssignerProtocol,
  CompressionTypes,
  ConfigResourceTypes,
  Kafka,
  Partitioners,
  logLevel,
} = kafkajs
