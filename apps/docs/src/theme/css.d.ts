/** The build of the site knows what to do with a style sheet. */
declare module '*.css'
