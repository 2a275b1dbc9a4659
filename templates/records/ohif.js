// Settings of OHIF: our own DICOMweb, reached with the page session of whoever is signed in; nothing outside.
window.PUBLIC_URL = "/ohif/";
window.browserImportFunction = (address) => import(address);
window.config = {
  name: "yimatong",
  routerBasename: "/ohif",
  extensions: [],
  modes: [],
  // No tour of the program before the first image.
  customizationService: [{ "ohif.tours": { $set: [] } }],
  showStudyList: false,
  showLoadingIndicator: true,
  showWarningMessageForCrossOrigin: false,
  showErrorDetails: "production",
  maxNumberOfWebWorkers: 3,
  investigationalUseDialog: { option: "never" },
  disableEditing: true,
  defaultDataSourceName: "yimatong",
  dataSources: [
    {
      namespace: "@ohif/extension-default.dataSourcesModule.dicomweb",
      sourceName: "yimatong",
      configuration: {
        friendlyName: "一码通",
        name: "yimatong",
        qidoRoot: "/dicomweb",
        wadoRoot: "/dicomweb",
        wadoUriRoot: "/dicomweb",
        qidoSupportsIncludeField: false,
        supportsFuzzyMatching: false,
        supportsWildcard: false,
        imageRendering: "wadors",
        thumbnailRendering: "thumbnail",
        thumbnailRequestStrategy: "fetch",
        enableStudyLazyLoad: true,
        dicomUploadEnabled: false,
        singlepart: "bulkdata",
        bulkDataURI: { enabled: true },
        // Decoded, whatever the form in which a frame is stored.
        acceptHeader: ['multipart/related; type="application/octet-stream"; transfer-syntax=1.2.840.10008.1.2.1'],
      },
    },
  ],
};
