//! Segments altered, cut, swapped, interrupted.

use super::*;

#[test]
fn a_package_altered_in_any_segment_is_refused_there() {
    for protection in [
        None,
        Some(ProtectionKeys {
            enc: Zeroizing::new([1; 16]),
            mac: Zeroizing::new([2; 16]),
            chain: [3; 16],
        }),
    ] {
        let mut server = Server::new();
        server.protection = protection;
        let mut start = Lab::bare();
        let prepared = start.prepared(&server);
        let package = server.package(&prepared.euicc_signed2.euicc_otpk);
        let commands = bpp::commands(&package).unwrap();
        let expected = |number: usize| match (number, server.protection.is_some()) {
            (0, _) => BppCommandId::InitialiseSecureChannel,
            (1, _) => BppCommandId::ConfigureIsdp,
            (2 | 3, _) => BppCommandId::StoreMetadata,
            (4, true) => BppCommandId::ReplaceSessionKeys,
            _ => BppCommandId::LoadProfileElements,
        };
        for (number, command) in commands.iter().enumerate() {
            // Every eighth byte and the last: heads, data and MACs.
            let places = (0..command.len()).step_by(8).chain([command.len() - 1]);
            for place in places {
                let mut altered = command.to_vec();
                altered[place] ^= 0x01;
                let mut all = commands.clone();
                all[number] = &altered;
                let mut lab = start.clone();
                let mut result = None;
                for command in &all {
                    let answer = lab.send(command);
                    if !answer.data.is_empty() || answer.sw != Sw::OK {
                        result = Some(answer);
                        break;
                    }
                }
                let answer = result.unwrap_or_else(|| panic!("{number} {place} was taken"));
                assert!(lab.euicc.state().profile(&NEW.parse().unwrap()).is_none());
                // What no longer looks like a package is another command, or none.
                if place == 0 && number == 0 {
                    assert_ne!(answer.sw, Sw::OK);
                    continue;
                }
                if place == 0 && answer.sw != Sw::OK {
                    continue;
                }
                let result = ProfileInstallationResult::from_der(&answer.data).unwrap();
                let (command_id, _) = error(&result);
                // A wrong head of a sequence may only be seen in its segments, or be another's head.
                assert!(
                    command_id == expected(number) || command.len() < 12 || place == 0,
                    "{number} {place} {command_id:?}"
                );
                // The session is over.
                assert_eq!(lab.send(all[0]).sw, Sw::CONDITIONS_NOT_SATISFIED);
            }
        }
    }
}

#[test]
fn a_secure_channel_is_refused_for_each_thing_that_is_wrong_in_it() {
    use ErrorReason as E;
    let server = Server::new();
    let mut start = Lab::bare();
    let otpk = start.prepared(&server).euicc_signed2.euicc_otpk.clone();
    let package = server.package(&otpk);
    let first = bpp::commands(&package).unwrap()[0].to_vec();
    // The head of BF36, then BF23: operation, transaction, template, one-time key, signature.
    let header = tlv::read_header(&first).unwrap().header_len;
    let channel = tlv::read_one(&first[header..]).unwrap();
    let fields: Vec<Vec<u8>> = channel
        .children()
        .map(|c| c.unwrap().raw.to_vec())
        .collect();
    let with = |field: usize, at: usize, value: u8| {
        let mut fields = fields.clone();
        fields[field][at] = value;
        fields.pop();
        let signed = [fields.concat(), tlv::write(0x5F49, &otpk)].concat();
        fields.push(tlv::write(
            0x5F37,
            &server.smdp.pb.key.sign(&signed).unwrap(),
        ));
        let mut command = first[..header].to_vec();
        command.extend(tlv::write(0xBF23, &fields.concat()));
        let result = start.clone().load_package(&[&command]);
        result.map(|result| error(&result))
    };
    let refused = |reason| Some((BppCommandId::InitialiseSecureChannel, reason));
    // Nothing changed: more is waited for.
    assert_eq!(with(0, 2, 1), None);
    assert_eq!(with(0, 2, 2), refused(E::UnsupportedRemoteOperationType));
    assert_eq!(with(1, 2, 0), refused(E::InvalidTransactionId));
    // DES keys; 32 bytes of them.
    assert_eq!(with(2, 4, 0x80), refused(E::UnsupportedCrtValues));
    assert_eq!(with(2, 7, 0x20), refused(E::UnsupportedCrtValues));
    // No point of the curve.
    assert_eq!(with(3, 3, 5), refused(E::IncorrectInputValues));
    let mut unsigned = first.clone();
    *unsigned.last_mut().unwrap() ^= 1;
    let result = start.clone().load_package(&[&unsigned]).expect("a result");
    assert_eq!(Some(error(&result)), refused(E::InvalidSignature));
}

#[test]
fn segments_in_another_order_or_missing_are_refused() {
    let server = Server::new();
    let mut start = Lab::bare();
    let prepared = start.prepared(&server);
    let package = server.package(&prepared.euicc_signed2.euicc_otpk);
    let commands = bpp::commands(&package).unwrap();
    for missing in 1..commands.len() {
        let mut all = commands.clone();
        all.remove(missing);
        let result = start.clone().load_package(&all);
        assert!(result.is_none_or(|r| error(&r).1 != ErrorReason::PeProcessingError));
        if missing + 1 < commands.len() {
            let mut all = commands.clone();
            all.swap(missing, missing + 1);
            let result = start.clone().load_package(&all).expect("a result");
            assert!(matches!(
                error(&result).1,
                ErrorReason::Scp03tSecurityError | ErrorReason::Scp03tStructureError
            ));
        }
    }
    // Bytes after the end, in the same command.
    let mut last = commands.last().unwrap().to_vec();
    last.push(0);
    let mut all = commands.clone();
    *all.last_mut().unwrap() = &last;
    let result = start.clone().load_package(&all).expect("a result");
    assert_eq!(
        error(&result),
        (
            BppCommandId::LoadProfileElements,
            ErrorReason::Scp03tStructureError
        )
    );
}

#[test]
fn a_load_that_something_comes_in_between_is_reported_as_interrupted() {
    let (mut lab, server) = (Lab::bare(), Server::new());
    let prepared = lab.prepared(&server);
    let otpk = &prepared.euicc_signed2.euicc_otpk;
    let package = server.package(otpk);
    let commands = bpp::commands(&package).unwrap();
    assert_eq!(lab.load_package(&commands[..6]), None);
    lab.challenge();
    let RetrieveNotificationsListResponse::NotificationList(list) =
        lab.call(&RetrieveNotificationsListRequest::default())
    else {
        panic!("no list");
    };
    let [PendingNotification::ProfileInstallationResult(result)] = list.as_slice() else {
        panic!("{list:?}");
    };
    assert_eq!(
        error(result),
        (BppCommandId::LoadProfileElements, ErrorReason::Interruption)
    );
    // The key that the package is bound to is still there.
    let ok = lab.authenticated(&server);
    let again = lab.prepare(&server.preparation_of(&ok, false, Some(otpk)));
    let PrepareDownloadResponse::DownloadResponseOk(again) = again else {
        panic!("{again:?}");
    };
    assert_eq!(again.euicc_signed2.euicc_otpk, *otpk);
    let package = bpp::sign_again(&package, &server.transaction, otpk, &server.smdp.pb.key);
    let package = package.unwrap();
    let commands = bpp::commands(&package).unwrap();
    // Begun anew in the same session, too.
    assert_eq!(lab.load_package(&commands[..5]), None);
    let result = lab.load_package(&commands).expect("a result");
    assert_ne!(error(&result).1, ErrorReason::Scp03tSecurityError);
}

#[test]
fn a_power_cut_before_each_write_leaves_nothing_half() {
    let server = Server::new();
    let mut start = Lab::bare();
    let prepared = start.prepared(&server);
    let package = server.package(&prepared.euicc_signed2.euicc_otpk);
    let commands = bpp::commands(&package).unwrap();
    let mut whole = start.clone();
    whole.load_package(&commands).expect("a result");
    let writes = whole.nvm.writes - start.nvm.writes;
    // Three segments and the end.
    assert_eq!(writes, 4);
    for cut in 0..writes {
        let mut lab = start.clone();
        let before = lab.euicc.state().clone();
        lab.nvm.cut_after(cut);
        let cuts = commands
            .iter()
            .filter(|command| lab.euicc.es10(&mut lab.nvm, command).is_err())
            .count();
        assert!(cuts > 0);
        lab.nvm.restore();
        lab.euicc.refresh();
        lab.euicc.check_invariants().unwrap();
        assert!(*lab.euicc.state() == before);
        let ok = lab.authenticated(&server);
        let otpk = &prepared.euicc_signed2.euicc_otpk;
        let request = server.preparation_of(&ok, false, Some(otpk));
        assert!(matches!(
            lab.prepare(&request),
            PrepareDownloadResponse::DownloadResponseOk(_)
        ));
        let package = bpp::sign_again(&package, &server.transaction, otpk, &server.smdp.pb.key);
        let package = package.unwrap();
        let again = lab.load_package(&bpp::commands(&package).unwrap());
        let reason = error(&again.expect("a result")).1;
        assert_eq!(reason, ErrorReason::PeProcessingError);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn nothing_that_comes_in_a_session_panics(
        bytes in proptest::collection::vec(any::<u8>(), 0..80),
        tag in prop::sample::select(vec![
            0xBF21u32, 0xBF36, 0xBF38, 0xBF41, 0xA0, 0xA1, 0xA2, 0xA3, 0x86, 0x87, 0x88,
        ]),
        after in 0usize..8,
    ) {
        thread_local! {
            static READY: (Lab, Vec<Vec<u8>>) = {
                let (mut lab, server) = (Lab::bare(), Server::new());
                let prepared = lab.prepared(&server);
                let package = server.package(&prepared.euicc_signed2.euicc_otpk);
                let commands = bpp::commands(&package).unwrap();
                (lab, commands.into_iter().map(<[u8]>::to_vec).collect())
            };
        }
        let (mut lab, commands) = READY.with(Clone::clone);
        for command in commands.iter().take(after) {
            lab.send(command);
        }
        lab.send(&tlv::write(tag, &bytes));
        lab.send(&bytes);
    }
}
