/*
 * Globals that this SDK and Socket.IO's client need and WeChat's JavaScript lacks. Existing ones are not
 * replaced. Import it before everything else. The bundler must also:
 *
 * - resolve for browsers, so that Socket.IO's client comes without Node's modules;
 * - replace the free name `self` by `globalThis`: WeChat wraps each file into a function with a parameter
 *   of that name, which is undefined;
 * - bundle dynamic imports into the same file: a mini-program has no import().
 */
import './self.ts'
import 'core-js/actual/dom-exception/index.js'
import 'core-js/actual/queue-microtask.js'
import 'core-js/actual/atob.js'
import 'core-js/actual/btoa.js'
import 'core-js/actual/url-search-params/index.js'
import './abort.ts'
