import { composeSecrets } from './compose-env.ts'
import { localSecrets } from './kubernetes/secrets.ts'

/*
 * `npm --silent run kubernetes-secrets | kubectl create -f -`: random secrets for deploy/kubernetes/overlays/local. They
 * are made anew each time, and `kubectl create` refuses to replace those that are there.
 */

const list = { apiVersion: 'v1', kind: 'List', items: localSecrets(composeSecrets()) }
console.log(JSON.stringify(list, null, 2))
