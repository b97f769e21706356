#!/usr/bin/env python3
"""Makes applet-model/testdata/sgp32-vectors.json: SGP.32 v1.2 data objects from an independent encoder.

Needs PyPI's pycrate (the encoder) and asn1play (which carries the compiled SGP.32 module); made with
these versions:

    python3 -m venv /tmp/asn1 && /tmp/asn1/bin/pip install pycrate==0.8.1 asn1play==8.6.1
    /tmp/asn1/bin/python tests/tools/sgp32_vectors.py

asn1play's module is loaded by file, nothing else of the package runs. The values are made here from
the module's own structure, the same in every run: for each type one value with everything there, one
with nothing optional, and one for each alternative, named value and named bit inside of it.
Written are: the type's name, the DER in hexadecimal, the value under the names of the ASN.1 (numbers
with a name by that name, byte strings in hexadecimal, ICCIDs and versions as people write them).
"""

import importlib.util
import json
import sys
from pathlib import Path

# A self-signed certificate made for these vectors and its key; nobody holds the private key.
CERTIFICATE = bytes.fromhex(
    "3082017030820116A003020102020101300A06082A8648CE3D04030230163114301206035504030C0B54657374207665"
    "63746F723020170D3236313132333134333033315A180F32313236313033303134333033315A30163114301206035504"
    "030C0B5465737420766563746F723059301306072A8648CE3D020106082A8648CE3D030107034200049026232BE06403"
    "B378EAFF28ED085BFFA3E72C563EB118938D7736521A7ADAAC7EB222C46DD9D9C4A8A1BADFC302D62215C0AD38EAB00E"
    "06239E8E561D459F85A3533051301D0603551D0E04160414430BADCD1D3F40E68861E01718B3BCFE5AF3300E301F0603"
    "551D23041830168014430BADCD1D3F40E68861E01718B3BCFE5AF3300E300F0603551D130101FF040530030101FF300A"
    "06082A8648CE3D04030203480030450220574E32E76EA0D230A1F7286CB982C67FBEFD6C9D27ADDFC0E0C89193825227"
    "0A0221009E09EC8157B129FF00D95E6FCDAC4B84D3989020E61B7E737A71D5DC7372ECCA"
)
PUBLIC_KEY = bytes.fromhex(
    "3059301306072A8648CE3D020106082A8648CE3D030107034200049026232BE06403B378EAFF28ED085BFFA3E72C563E"
    "B118938D7736521A7ADAAC7EB222C46DD9D9C4A8A1BADFC302D62215C0AD38EAB00E06239E8E561D459F85"
)

# Every message and every part that the Rust types can decode on their own.
TYPES = """
GetEimPackageRequest GetEimPackageResponse ProvideEimPackageResult ProvideEimPackageResultResponse
EimPackageResult EimPackageResultResponseError EimAcknowledgements HandleNotificationEsipa
TransferEimPackageRequest TransferEimPackageResponse
EuiccPackageRequest EuiccPackageSigned EuiccPackage Psmo Eco EuiccPackageResult EuiccPackageResultSigned
EuiccPackageResultDataSigned EuiccPackageErrorSigned EuiccPackageErrorDataSigned EuiccPackageErrorUnsigned
EuiccResultData AddEimResult ListEimResult
EimConfigurationData AddInitialEimRequest AddInitialEimResponse GetEimConfigurationDataRequest
GetEimConfigurationDataResponse
GetCertsRequest GetCertsResponse GetEuiccDataRequest GetEuiccDataResponse
EUICCInfo1 EUICCInfo2 IoTSpecificInfo
ProfileInfo ProfileInfoListRequest ProfileInfoListResponse GetRatRequest GetRatResponse RulesAuthorisationTable
RetrieveNotificationsListRequest RetrieveNotificationsListResponse NotificationSentRequest NotificationSentResponse
ListNotificationRequest ListNotificationResponse
NotificationMetadata PendingNotification OtherSignedNotification ProfileInstallationResult
ProfileInstallationResultData
ProfileRollbackRequest ProfileRollbackResponse ConfigureImmediateProfileEnablingRequest
ConfigureImmediateProfileEnablingResponse ImmediateEnableRequest ImmediateEnableResponse
EnableEmergencyProfileRequest EnableEmergencyProfileResponse DisableEmergencyProfileRequest
DisableEmergencyProfileResponse ExecuteFallbackMechanismRequest ExecuteFallbackMechanismResponse
ReturnFromFallbackRequest ReturnFromFallbackResponse GetConnectivityParametersRequest
GetConnectivityParametersResponse EuiccMemoryResetRequest EuiccMemoryResetResponse SetDefaultDpAddressRequest
SetDefaultDpAddressResponse IpaeActivationRequest IpaeActivationResponse ISDRProprietaryApplicationTemplateIoT
GetEuiccChallengeRequest GetEuiccChallengeResponse EuiccConfiguredAddressesRequest EuiccConfiguredAddressesResponse
IpaEuiccDataRequest IpaEuiccDataResponse IpaEuiccData IpaCapabilities DeviceInfo
ProfileDownloadTriggerRequest ProfileDownloadTriggerResult ProfileDownloadData
InitiateAuthenticationRequestEsipa InitiateAuthenticationResponseEsipa AuthenticateServerRequest AuthenticateServerResponse
AuthenticateClientRequestEsipa AuthenticateClientResponseEsipa StoreMetadataRequest PrepareDownloadRequest PrepareDownloadResponse
GetBoundProfilePackageRequestEsipa GetBoundProfilePackageResponseEsipa BoundProfilePackage
CancelSessionRequest CancelSessionRequestEsipa CancelSessionResponse CancelSessionResponseEsipa
EnableProfileRequest EnableProfileResponse DisableProfileRequest DisableProfileResponse DeleteProfileRequest
DeleteProfileResponse SetNicknameRequest SetNicknameResponse
""".split()

# How deep inside of a type alternatives are varied; types not named here: 2.
DEPTH = {"EuiccPackageRequest": 3, "EuiccPackage": 4, "Psmo": 4, "Eco": 3, "EuiccResultData": 4,
         "EuiccPackageResult": 3, "GetEimPackageResponse": 1, "TransferEimPackageRequest": 1,
         "TransferEimPackageResponse": 1, "HandleNotificationEsipa": 1, "ProvideEimPackageResult": 1,
         "IpaEuiccDataResponse": 1, "IpaEuiccData": 1, "ProfileInfoListResponse": 3, "ProfileInfo": 3}


def load():
    for base in sys.path:
        file = Path(base) / "asn1_play/generated_code/asn1/GSMA/SGP_32/v1_2/python_gen/sgp32/sgp32.py"
        if file.is_file():
            spec = importlib.util.spec_from_file_location("sgp32", file)
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
            return module
    sys.exit("asn1play isn't installed: see the head of this file")


ASN1 = load()


def find(name):
    for module in (ASN1.SGP32Definitions, ASN1.RSPDefinitions):
        if hasattr(module, name):
            return getattr(module, name)
    sys.exit(f"the module has no type {name}")


def type_name(obj):
    called = getattr(obj._typeref, "called", None) if obj._typeref is not None else None
    return called[-1] if called else obj._name


def size(obj):
    limits = obj._const_sz
    if limits is None:
        return None
    first = limits.root[0]
    return (first, first) if isinstance(first, int) else (first.lb, first.ub)


def parsed(name, der):
    for module in (ASN1.PKIX1Explicit88, ASN1.RSPDefinitions):
        if hasattr(module, name):
            obj = getattr(module, name)
            obj.from_der(der)
            return obj.get_val()
    sys.exit(f"the module has no type {name}")


def octets(obj):
    name = obj._name.lower()
    if type_name(obj) == "Iccid" or "iccid" in name:
        return [bytes.fromhex("98103254769810325476"), bytes.fromhex("981032547698103254F7")]
    if "eidvalue" in name:
        return [bytes.fromhex("89049032123451234512345678901235")]
    if "taglist" in name:
        limits = size(obj)
        return [b"\x5A"] if limits and limits[1] == 1 else [bytes.fromhex("5A4F9F709192959F7B9F269F67")]
    low, high = size(obj) or (64, 64) if "sign" in name else size(obj) or (4, 4)
    low = max(low or 0, 1)
    if "aid" in name and (high is None or high >= 16):
        low = max(low, 16)
    seed = sum(obj._name.encode())
    long = bytes((seed + 7 * i) % 256 for i in range(low))
    return [long] if high is None or high <= low else [long, long + bytes(max(min(high, 16) - low, 1))]


def integers(obj):
    if obj._cont:
        return sorted(obj._cont.values())
    if "token" in obj._name.lower():
        return [1, 0, -1, 127, 128, 8388607]
    return [1, 0, 127, 128, 255, 256, 8388607, 4294967295]


def variants(obj, depth):
    kind, named = obj.TYPE, type_name(obj)
    if named == "Certificate":
        return [parsed("Certificate", CERTIFICATE)]
    if named == "SubjectPublicKeyInfo":
        return [parsed("SubjectPublicKeyInfo", PUBLIC_KEY)]
    if kind == "SEQUENCE":
        return sequences(obj, depth)
    if kind == "CHOICE":
        found = [(name, value) for name, part in obj._cont.items()
                 for value in (variants(part, depth - 1) if depth > 0 else variants(part, 0)[:1])]
        return found if depth > 0 else found[:1]
    if kind == "SEQUENCE OF":
        inner = variants(obj._cont, depth)
        return [inner[:1], inner, []] if depth > 0 else [inner[:1]]
    if kind == "INTEGER":
        values = integers(obj)
    elif kind == "OCTET STRING":
        values = octets(obj)
    elif kind == "BIT STRING":
        names = obj._cont or {}
        width = max(names.values()) + 1 if names else 12
        values = [((1 << width) - 1, width)] + [(1, bit + 1) for bit in sorted(names.values())] + [(0, 0)]
    elif kind == "BOOLEAN":
        values = [True, False]
    elif kind == "UTF8String":
        low, high = size(obj) or (0, None)
        values = [f"{obj._name}.example.com"[:high], "x" * (low or 0), "Zürich 電話"[:high]]
    elif kind == "NULL":
        values = [0]
    elif kind == "OBJECT IDENTIFIER":
        values = [(1, 3, 6, 1, 4, 1, 99999, 1)]
    else:
        sys.exit(f"{obj._name}: {kind} isn't supported")
    return values if depth > 0 else values[:1]


def sequences(obj, depth):
    parts = {name: part for name, part in obj._cont.items() if usable(part)}
    fallback = {name: part._def for name, part in parts.items()}
    everything = {name: variants(part, 0)[0] for name, part in parts.items()}
    least = {name: everything[name] for name in obj._root_mand if name in parts}
    found = [everything, least]
    if depth > 0:
        for name, part in parts.items():
            for value in variants(part, depth - 1 if part.TYPE not in SIMPLE else 1):
                if value != fallback[name]:
                    found.append({**least, name: value})
    return found


SIMPLE = ("INTEGER", "BIT STRING", "BOOLEAN", "UTF8String", "OCTET STRING")


def usable(part):
    # pycrate encodes an open type's tag as IMPLICIT (X.680 31.2.7 c says EXPLICIT): left out here.
    return type_name(part) != "VendorSpecificExtension"


def readable(obj, value):
    kind, named = obj.TYPE, type_name(obj)
    if named == "Certificate":
        return CERTIFICATE.hex().upper()
    if named == "SubjectPublicKeyInfo":
        return PUBLIC_KEY.hex().upper()
    if kind == "SEQUENCE":
        return {name: readable(part, value[name]) for name, part in obj._cont.items() if name in value}
    if kind == "CHOICE":
        return {value[0]: readable(obj._cont[value[0]], value[1])}
    if kind == "SEQUENCE OF":
        return [readable(obj._cont, one) for one in value]
    if kind == "INTEGER":
        return next((name for name, number in (obj._cont or {}).items() if number == value), value)
    if kind == "OCTET STRING":
        if named == "VersionType":
            return ".".join(str(byte) for byte in value)
        text = value.hex().upper()
        if named == "Iccid":
            return "".join(text[i + 1] + text[i] for i in range(0, len(text), 2)).rstrip("F")
        return text
    if kind == "BIT STRING":
        number, width = value
        bits = [bit for bit in range(width) if number >> (width - 1 - bit) & 1]
        names = {bit: name for name, bit in (obj._cont or {}).items()}
        return [names.get(bit, f"bit {bit}") for bit in bits]
    if kind == "NULL":
        return None
    if kind == "OBJECT IDENTIFIER":
        return ".".join(str(arc) for arc in value)
    return value


def main():
    vectors, seen = [], set()
    for name in TYPES:
        obj = find(name)
        for value in variants(obj, DEPTH.get(name, 2)):
            obj.set_val(value)
            der = obj.to_der().hex().upper()
            if (name, der) not in seen:
                seen.add((name, der))
                vectors.append({"type": name, "der": der, "value": readable(obj, value)})
    out = Path(__file__).resolve().parents[2] / "applet-model/testdata/sgp32-vectors.json"
    lines = ",\n".join(json.dumps(vector, ensure_ascii=False, separators=(",", ":")) for vector in vectors)
    out.write_text(f"[\n{lines}\n]\n")
    print(f"{len(vectors)} vectors of {len(TYPES)} types, {out.stat().st_size} bytes: {out}")


if __name__ == "__main__":
    main()
