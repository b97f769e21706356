//! Card definitions and the virtual card: GlobalPlatform runtime, Java Card VM, toolkit framework, eUICC.
