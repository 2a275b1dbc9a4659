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

// Who looks, and when, stands over every picture, and on every photograph of the screen.
addEventListener("load", async () => {
  const said = await fetch("/ohif/reader", { cache: "no-store" });
  const reader = said.ok ? await said.text() : "";
  const mark = document.createElement("div");
  mark.id = "reader";
  mark.ariaHidden = "true";
  Object.assign(mark.style, {
    position: "fixed", inset: "-20%", zIndex: "50", display: "grid", gridTemplateColumns: "repeat(4, 1fr)",
    alignItems: "center", justifyItems: "center", overflow: "hidden", pointerEvents: "none", color: "#fff",
    font: "14px sans-serif", textShadow: "0 0 2px #000, 0 0 2px #000", opacity: "0.3", transform: "rotate(-24deg)",
  });
  mark.append(...Array.from({ length: reader ? 32 : 0 }, () => Object.assign(document.createElement("span"), { textContent: reader })));
  document.body.append(mark);
});
