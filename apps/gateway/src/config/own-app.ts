import * as v from 'valibot'

/** An Android app, as the system checks it. */
export interface AndroidApp {
  package: string
  /** SHA-256 of its signing certificates, in pairs of hex digits with colons. */
  fingerprints: readonly string[]
}

/** The business's own app, which opens when somebody scans a code with the camera. */
export interface OwnApp {
  android: readonly AndroidApp[]
  /** Team id and bundle id, with a dot between them. */
  ios: readonly string[]
  /** Where people get the app. */
  install: readonly string[]
}

const PACKAGE = /^[A-Za-z][A-Za-z0-9_]*(\.[A-Za-z][A-Za-z0-9_]*)+$/
const FINGERPRINT = /^([0-9A-F]{2}:){31}[0-9A-F]{2}$/
const ANDROID_RULE =
  'must be a package and the SHA-256 fingerprints of its certificates, such as com.example.app 14:6D:E9:…, with ; between two apps'

/** `com.example.app 14:6D:… ; com.example.beta 9A:…` */
export const androidApps = v.pipe(
  v.string(),
  v.rawTransform<string, readonly AndroidApp[]>(({ dataset, addIssue, NEVER }) => {
    const entries = dataset.value.split(';').map((entry) =>
      entry
        .trim()
        .split(/[\s,]+/)
        .filter(Boolean),
    )
    const apps = entries
      .filter((words) => words.length > 0)
      .map(([name = '', ...prints]) => ({ package: name, fingerprints: prints.map((print) => print.toUpperCase()) }))
    const isApp = ({ package: name, fingerprints }: AndroidApp): boolean =>
      PACKAGE.test(name) && fingerprints.length > 0 && fingerprints.every((print) => FINGERPRINT.test(print))
    if (apps.every(isApp)) return apps
    addIssue({ message: ANDROID_RULE })
    return NEVER
  }),
)

const words = v.pipe(
  v.string(),
  v.transform((text) => text.split(/[\s,]+/).filter(Boolean)),
)

/** `A1B2C3D4E5.com.example.app` */
export const iosApps = v.pipe(
  words,
  v.array(
    v.pipe(
      v.string(),
      v.regex(
        /^[A-Z0-9]{10}\.[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*$/,
        'must list team ids and bundle ids, such as A1B2C3D4E5.com.example.app',
      ),
    ),
  ),
)

/** Addresses of app stores and of files. */
export const installLinks = v.pipe(
  words,
  v.array(
    v.pipe(
      v.string(),
      v.check((text) => URL.parse(text)?.protocol === 'https:', 'must list addresses with https'),
    ),
  ),
)
