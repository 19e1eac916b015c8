export { type App, type AppOptions, startApp } from './app.ts'
export { startAwake } from './awake.ts'
export { launchBrowser } from './browser.ts'
export { type BundleOptions, bundle } from './bundle.ts'
export { type Authority, type Certificate, createAuthority, createSelfSigned } from './certificates.ts'
export { cleanUp, onCleanup } from './cleanup.ts'
export {
  type Cluster,
  type ClusterOptions,
  type Front,
  type FrontOptions,
  nodeIds,
  startCluster,
  startFront,
} from './cluster.ts'
export { readCode } from './code-picture.ts'
export { withoutComments } from './comments.ts'
export { type ComponentFramework, runComponentContract } from './component-contract.ts'
export type { Plan, PlanPage } from './component-page.ts'
export { type ConnectOptions, connectLogin, type LoginClient, loginDoors } from './connect.ts'
export { type Dns, startDns } from './dns.ts'
export { type Documented, documented, type PageBlock, pageBlocks } from './documented.ts'
export { type EventStreamClient, openEvents, type StreamEvent } from './event-stream.ts'
export { type ExamplesContract, examplesContract } from './examples/contract.ts'
export { type Example, PRINT, type Printed, runnable } from './examples/example.ts'
export { type PageExamples, runInPage } from './examples/in-page.ts'
export { type ExampleCluster, PERSON, startExampleCluster } from './examples/phone.ts'
export { type PublicName, type PublicNames, publicNames } from './examples/public-names.ts'
export { runInNode } from './examples/run-in-node.ts'
export { createTranscript, type Transcript } from './examples/transcript.ts'
export { type Gateway, type GatewayOptions, startGateway } from './gateway.ts'
export { type HostedPage, startHost } from './host.ts'
export { applicationPackages, ensurePrograms, tryPackages } from './install.ts'
export { type Service, startService } from './k8s-service.ts'
export { createKubelet, type PodTimes, type Replacement, readPodTimes } from './kubelet.ts'
export type { Line } from './lines.ts'
export { connectLive, cursor, type LiveAnswer, type LiveClient, liveDoors, publish, webToken } from './live.ts'
export { apiKeyLine, liveSettings, narrowApiKey, testAdminKey, testApiKey } from './live-settings.ts'
export {
  attemptPhoneToken,
  attemptTicket,
  confirm,
  createTicket,
  phoneToken,
  poll,
  redeem,
  refresh,
  reject,
  scan,
} from './login.ts'
export { type LossyWay, startLossyWay } from './lossy-proxy.ts'
export { inLots } from './lots.ts'
export { closeOf, metricOf, monitorOf, until } from './metrics.ts'
export { type Nginx, type NginxOptions, startNginx } from './nginx.ts'
export { nodeFlags } from './node-flags.ts'
export { type OuterNginx, type OuterNginxOptions, startOuterNginx } from './outer-nginx.ts'
export { anotherBuild, buildPage, ensurePage, pageFolder, pageSources } from './page.ts'
export { freePort } from './ports.ts'
export { type Exit, type Process, type ProcessOptions, plainEnv, startProcess } from './process.ts'
export { findProgram, type Program, type ProgramName, programs, requireProgram } from './programs.ts'
export { readJpeg } from './read-jpeg.ts'
export {
  type RedisAccess,
  type RedisServer,
  type RedisServerOptions,
  startRedis,
  trusting,
} from './redis.ts'
export { type RedisClusterOptions, type RedisClusterServer, startRedisCluster } from './redis-cluster.ts'
export { type RedisSentinelOptions, type RedisSentinelServer, startRedisSentinel } from './redis-sentinel.ts'
export { elected, type RedisTopology } from './redis-topology.ts'
export { ageRefreshToken } from './refresh-token.ts'
export { type Answer, type RequestOptions, request } from './request.ts'
export { type Restartable, startRestartable } from './restartable.ts'
export { type S3Server, startS3 } from './s3.ts'
export { type Shop, type ShopOptions, type ShopSecrets, shopSettings, startShop } from './shop.ts'
export { type Simulator, type SimulatorOptions, startSimulator } from './simulator.ts'
export { type StoredLogin, storageWith, storedLogin } from './stored-login.ts'
export { createWalkthrough, runShell, type Walkthrough } from './walkthrough.ts'
export { connectWs, type WsClient } from './ws.ts'
export type { WxRequest, WxRequestTask } from './wx/requests.ts'
export type { WxConnect, WxSocketTask } from './wx/sockets.ts'
export { createWx, type TestWx, type TestWxOptions, type WxEnterOptions, type WxPhone } from './wx/wx.ts'
