/*
 * Vendor internals, for @temporalio/common 1.24.0: no package of the SDK exports its proto3 JSON of a history, which is
 * what `Worker.runReplayHistories` reads from a file (temporalio/sdk-typescript#255).
 */
export { historyToJSON } from '@temporalio/common/lib/proto-utils.js'
