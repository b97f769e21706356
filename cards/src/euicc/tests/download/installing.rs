//! Metadata, memory, and what becomes of a profile that was installed.

use super::*;

#[test]
fn metadata_are_checked() {
    let refused = |change: &dyn Fn(&mut Server)| {
        let mut server = Server::new();
        change(&mut server);
        Lab::bare().refused(&server)
    };
    let metadata = |reason| (BppCommandId::StoreMetadata, reason);
    assert_eq!(
        refused(&|s| s.metadata.iccid = ALPHA.parse().unwrap()),
        metadata(ErrorReason::IccidAlreadyExists)
    );
    assert_eq!(
        refused(&|s| s.metadata.profile_class = Some(sgp::profile::ProfileClass::from_code(9))),
        metadata(ErrorReason::UnsupportedProfileClass)
    );
    assert_eq!(
        refused(&|s| s.metadata.profile_name = "x".repeat(65)),
        metadata(ErrorReason::IncorrectInputValues)
    );
    assert_eq!(
        refused(&|s| s.metadata.icon = Some(octets(vec![1]))),
        metadata(ErrorReason::IncorrectInputValues)
    );
    // PPR1 with other operational profiles there, and rules without an owner.
    assert_eq!(
        refused(&|s| s.metadata.profile_policy_rules = Some(PprIds::of(&[PprIds::PPR1]))),
        metadata(ErrorReason::PprNotAllowed)
    );
    assert_eq!(
        refused(&|s| s.metadata.profile_policy_rules = Some(PprIds::of(&[PprIds::PPR2]))),
        metadata(ErrorReason::PprNotAllowed)
    );
}

#[test]
fn memory_is_counted_and_said() {
    let mut server = Server::new();
    let mut lab = Lab::bare();
    lab.euicc.constants.limits.profile_memory = 2999;
    let info: EuiccInfo2 = lab.call(&GetEuiccInfo2Request {});
    let resource = info.ext_card_resource.to_vec();
    let free = tlv::require(&resource, 0x82).unwrap();
    assert_eq!(free.value, [0x0B, 0xB7]);
    assert_eq!(
        lab.refused(&server),
        (
            BppCommandId::LoadProfileElements,
            ErrorReason::InsufficientMemory
        )
    );
    server.profile = package(2999);
    assert_ne!(lab.refused(&server).1, ErrorReason::InsufficientMemory);
}

#[test]
fn a_profile_is_installed_deleted_and_enabled_at_once_where_that_is_configured() {
    let mut server = Server::new();
    server.profile = small_package(NEW);
    let told = |events: &[u8], address: &str| NotificationConfigurationInformation {
        profile_management_operation: NotificationEvent::of(events),
        notification_address: address.into(),
    };
    server.metadata.notification_configuration_info = Some(vec![
        told(&[NotificationEvent::NOTIFICATION_INSTALL], "delta.example"),
        told(
            &[NotificationEvent::NOTIFICATION_ENABLE],
            "smdp.lab.example",
        ),
    ]);
    server.metadata.icon_type = Some(IconType::Png);
    server.metadata.icon = Some(octets(vec![1, 2, 3]));
    let mut lab = Lab::bare();
    let immediate: ConfigureImmediateProfileEnablingResponse =
        lab.call(&ConfigureImmediateProfileEnablingRequest {
            immediate_enable_flag: true,
            default_smdp_oid: Some(server.smdp.oid().unwrap()),
            default_smdp_address: Some(server.smdp.address.clone()),
        });
    assert_eq!(
        immediate.config_immediate_enable_result,
        ConfigImmediateEnableResult::Ok
    );
    let enable = |lab: &mut Lab| -> ImmediateEnableResult {
        let answer: ImmediateEnableResponse =
            lab.call(&ImmediateEnableRequest { refresh_flag: true });
        answer.immediate_enable_result
    };
    assert_eq!(enable(&mut lab), ImmediateEnableResult::NoSessionContext);
    let free = lab.euicc.free_profile_memory();
    let result = lab.download(&server);
    let data = &result.profile_installation_result_data;
    let FinalResult::SuccessResult(success) = &data.final_result else {
        panic!("{data:?}");
    };
    let profile = lab.profile(NEW).clone();
    assert_eq!(success.aid.as_bytes(), profile.isdp_aid);
    assert_eq!(profile.name, "Delta IoT");
    assert_eq!(profile.fallback_allowed, Some(true));
    assert!(!profile.enabled);
    assert!(profile.size > 0);
    assert_eq!(lab.euicc.free_profile_memory(), free - profile.size);
    assert!(lab.euicc.state().one_time.is_none());
    // The result, and a notification for another address.
    assert_eq!(lab.euicc.state().notifications.len(), 2);
    let infos: ProfileInfoListResponse = lab.call(&ProfileInfoListRequest::default());
    let ProfileInfoListResponse::ProfileInfoListOk(list) = infos else {
        panic!("{infos:?}");
    };
    let info = list.last().unwrap();
    assert_eq!(info.iccid, Some(iccid(NEW)));
    assert_eq!(info.icon, server.metadata.icon);

    assert_eq!(lab.enabled().as_deref(), Some(ALPHA));
    assert_eq!(enable(&mut lab), ImmediateEnableResult::Ok);
    assert_eq!(lab.enabled().as_deref(), Some(NEW));
    assert_eq!(enable(&mut lab), ImmediateEnableResult::NoSessionContext);
    // Once more, it is there already.
    assert_eq!(
        lab.refused(&server),
        (BppCommandId::StoreMetadata, ErrorReason::IccidAlreadyExists)
    );
    // The package is of another profile than the metadata.
    server.profile = small_package(GAMMA);
    server.metadata.iccid = "8949449999999990007".parse().unwrap();
    assert_eq!(
        lab.refused(&server),
        (BppCommandId::LoadProfileElements, ErrorReason::DataMismatch)
    );
    assert_eq!(enable(&mut lab), ImmediateEnableResult::NoSessionContext);
}

#[test]
fn immediate_enabling_looks_at_who_sent_the_profile() {
    let mut server = Server::new();
    server.profile = small_package(NEW);
    for (oid, address) in [
        (Some("1.2.3".parse().unwrap()), None),
        (None, Some("other.example".to_owned())),
    ] {
        let mut lab = Lab::bare();
        let _: ConfigureImmediateProfileEnablingResponse =
            lab.call(&ConfigureImmediateProfileEnablingRequest {
                immediate_enable_flag: true,
                default_smdp_oid: oid,
                default_smdp_address: address,
            });
        lab.download(&server);
        let answer: ImmediateEnableResponse =
            lab.call(&ImmediateEnableRequest { refresh_flag: true });
        assert_eq!(
            answer.immediate_enable_result,
            ImmediateEnableResult::ImmediateEnableNotAvailable
        );
        assert_eq!(lab.enabled().as_deref(), Some(ALPHA));
    }
}

#[test]
fn results_are_notifications_until_they_are_acknowledged() {
    let (mut lab, server) = (Lab::bare(), Server::new());
    let result = lab.download(&server);
    let data = result.profile_installation_result_data.value();
    assert_eq!(data.transaction_id, server.transaction);
    assert_eq!(data.smdp_oid, server.smdp.oid().unwrap());
    assert_eq!(
        data.notification_metadata.notification_address,
        "smdp.lab.example"
    );
    assert_eq!(data.notification_metadata.iccid, Some(iccid(NEW)));
    let seq = data.notification_metadata.seq_number;
    let listed: ListNotificationResponse = lab.call(&ListNotificationRequest::default());
    assert_eq!(
        listed,
        ListNotificationResponse::NotificationMetadataList(vec![
            data.notification_metadata.clone()
        ])
    );
    lab.euicc.refresh();
    let retrieved: RetrieveNotificationsListResponse =
        lab.call(&RetrieveNotificationsListRequest::seq_number(seq));
    assert_eq!(
        retrieved,
        RetrieveNotificationsListResponse::NotificationList(vec![
            PendingNotification::ProfileInstallationResult(result)
        ])
    );
    let sent: NotificationSentResponse = lab.call(&NotificationSentRequest { seq_number: seq });
    assert_eq!(
        sent.delete_notification_status,
        DeleteNotificationStatus::Ok
    );
    assert!(lab.euicc.state().notifications.is_empty());
}

#[test]
fn what_a_service_keeps_in_a_profile_is_shown_when_asked_for() {
    use applet_model::sgp::TagList;
    use applet_model::sgp::profile::{OpenValue, VendorExtension};
    let data = vec![VendorExtension {
        vendor_oid: "1.2.3".parse().unwrap(),
        vendor_specific_data: OpenValue(der::asn1::Any::null()),
    }];
    let mut server = Server::new();
    server.profile = small_package(NEW);
    server.metadata.service_specific_data_stored_in_euicc = Some(data.clone());
    server.metadata.service_specific_data_not_stored_in_euicc = Some(data.clone());
    let mut lab = Lab::bare();
    lab.download(&server);
    let mut list = |tags: Option<&[u8]>| {
        let answer: ProfileInfoListResponse = lab.call(&ProfileInfoListRequest {
            search_criteria: None,
            tag_list: tags.map(|tags| TagList::new(tags).unwrap()),
        });
        let ProfileInfoListResponse::ProfileInfoListOk(mut list) = answer else {
            panic!("{answer:?}");
        };
        list.pop().unwrap().service_specific_data_stored_in_euicc
    };
    assert_eq!(list(None), None);
    assert_eq!(list(Some(&[0xBF, 0x22])), Some(data));
}
