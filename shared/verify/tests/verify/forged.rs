use drawbridge_verify::{Algorithm, KeyUse, PublicJwk, PublicKey, TokenError};

use crate::make::{only, rules, verify_with};

#[test]
fn attack_08_lax_rsa_padding_is_refused() {
    let jwk = PublicJwk::parse(JWK.as_bytes()).unwrap().named("rfc-7515", KeyUse::Signing, Algorithm::RS256);
    let key = PublicKey::bind(&jwk, "rfc-7515", only(Algorithm::RS256), false).unwrap();
    assert_eq!(verify_with(&format!("{SIGNED}.{PROPER}"), &rules(), &key), Ok(()));
    for (padding, signature) in FORGED {
        let refused = verify_with(&format!("{SIGNED}.{signature}"), &rules(), &key);
        assert_eq!(refused, Err(TokenError::SignatureInvalid), "{padding}");
    }
}

/// The key of RFC 7515 A.2, whose private half is published: with it, paddings were signed that no signer makes.
const JWK: &str = r#"{"kty":"RSA","n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ","e":"AQAB"}"#;

const SIGNED: &str = "eyJhbGciOiJSUzI1NiIsInR5cCI6ImF0K2p3dCIsImtpZCI6InJmYy03NTE1In0.eyJpc3MiOiJodHRwczovL2xvZ2luLmV4YW1wbGUuY29tIiwiYXVkIjoiaHR0cHM6Ly9hcGkuZXhhbXBsZS5jb20iLCJzdWIiOiJtYWxsb3J5IiwiaWF0IjoxODAwMDAwMDAwLCJleHAiOjE4MDAwMDAzMDB9";

const PROPER: &str = "XMizM2-D3HNFBZBbhlTxQDBa7IYEv6Oh-0c8vouIs-FbicU6YUo2cSLvdpbRWX_0uco7ouOIhlu5W-b62WG_gZLtNUthOGYCKayHAzvTP1BdWpRh54_KoMngLNw_oZNgRZEFcDYP_jTjwc6tqW3xKFB9il8dKXlU_p1V9t_ZxYEWX8Dc9jEeo7lLjxUJzCG55pY0KF7ZFrUuYvAMFIkaTcKe3fBGXI7ISMrJx9agIB6XxoU-Hd095gfh2VcT-p5OXD6sTX2ZWjuMzWMBTHNCBK9NSSnISLyWz7LUoC729ydm5ZyeFDlboFPPFLmALR9kzZKNH6IFaZFP4cDFFUqNAA";

const FORGED: [(&str, &str); 10] = [
    (
        "eight bytes of padding, and garbage behind the hash",
        "fjH4tUB9h_Ab1s9BWQuaFAkw94Xv6LHXkE1dgNOW3Ay5rKBS0eYgxmgu5X5OaekomfHcTtnOHDqmZDPPMsSRO4w0nl-852TBMa34K_ZQmRnG9zU9GZ6Ch_jtj5bZJw0JbGzmMDweOfbZtztcAspXMo40b221hV3xpyNSCdllATGfcwVEkF62PaA8kSC6pWm2vPWVphVAXAhywPN9ZUf70EYDr1I5gnq_DE9bmURkvwvBavItu3VZaMHZC04EEzQtzklBt0uP2EKZuSXiJsi8keTMOnEr27Nxnp_HV9JnP7IuunzkcDf4JWz0RRet9dVhX39G-iEsP5Gv-1OgzihyUg",
    ),
    (
        "a padding byte that is not ff",
        "E6NhLZMMsNKb1_qFsxCV_7_XHgzkgoxs_ethcz4tkPlUHzbTYBK8m10ueXj3W43lz2xpt87Q9jQ_GZLSi2xpnyhTHrV8fYztZSCG-AFTWZE4aB64NxxN6mELwvi_HP2Lt3ZK24cUq3QVPe5gp_rl2961sH8cH9EPy2v9lKgAK-XyoxSKtYYosh7T0r9JUysXGarCwGOpWDgbds9Un5AeB9OxNnHD-AiX_Ip0tP2eAEbkWmM1-f6JL5_dKO_e5b2DKBDQRFn6mNDLCwn4My-wspAMJmvt-W9LV9eN5qnUAcjrTixNvGB-e0Tt334zT1y7wrVj6EC1rPuF2umPC7Eouw",
    ),
    (
        "block type 2",
        "DpqJOsDxmJl97jKdzdu6te9U0SX-xvxaOhfeN-qL87cLvxkUcW7Xu5S36RhEJ_hoNGKqpoY9SVX6fyUV8WddK1PM0cdDNafc_109c_OoYu1EIZdIE_uGVti2kP-gXMoc4WLhp2to2Tqc-f8BYy0HmphpujrEZdpjeg8DLQfIDRF-DG7UhW1pXTlq1z0A98h73U3xNCftC-jG0yUptUWLdyZvdBHZH6cafPqTQzbzUXrPzG55Yoq9xvEZsq5sSp4qQKlV2Owi5G5ykq7krk0Y6EAQj_llPOsbGmZIJ6P7j1jpyX913g5veXtrhGGqo5i4gd95TvyILRNPBgyqtyXXiA",
    ),
    (
        "block type 0",
        "GN1xlUEH3xR-XzsX55TpslMAM7BVjvATpkhxh54UyFMhYDZ-zRgHkoyj0UxwTBMD4ohleWRz6bgnhh0y76thjxnnDsj-aj7eFGGIWnhaKkpVXDSKryv1eewLHf5TsnU9z5isQ-zPWpTd2Qd8LmXOuiTB3umperVQELxPOTRmk5NxLoAIp7z5qIRSr3OJSy2gb-MTqt8IfvF2V0qLh05p63YDiR-sLsJRQpp9pGZjXMFqDgvi8qcYtX7Fl_2fzz6HS77ITZubs-mvCQtJOVTzr0ldsl4Z0TLkoiShcpszy6pmWeGxOSVW_K0JEgHZ1O4GIvJNX60a8CeAPk4_HcLwCQ",
    ),
    (
        "no NULL parameter",
        "VmSl0qjfQPsF0oJABl89tT_AN7D-JpaQrIncAr8J0XvlllPFmIZLVwkYtcwIW8Vy7kpyTvmFY6_RUX3RU70R5_jtlybTBdpoiaKh0J5SiEpnlcicv8ACYJk8y878uJQQo4Y3C53SyoPkxEXyXahxobfq8hlNzJKM-GpVJwd89GqLw4EYlKl1i_YXzpoHUbMVOzK0R8VieLrclo78e20aoHkD4Qil6ason9uwj4OX7bOGLZC-TVEs4iaxco1j7QZ3CVGftm8t8X9i0owflcM7aCVex5ERwQ7xofV3s6qmHBB3eeSdB28TcCavDtrduUAx-O2psY7KZAKzuCHrO3qpug",
    ),
    (
        "the OID of SHA-512",
        "TyjnLr3aZgH2ow1TOw_SWuxEF3WgCpo4wLzp1MzzHYCszEYp753Sez_Nw5oaWUE_LHQmlsXUdzYPX47yg4viZDCux-OoQ1wUIdk6Z9YxN4B69-RefkFoW9KkmQYWt7xek5X2ReR9l_3eD8nSzSulaedXG31PgsPZqe-6gbCj9p9Q0uvQB8_AFw92EJhx07RWaDE01Mb3vSta6AeRpSLltDLRoiDKTQPn6omrJwG6wBgU9cgexppVj8RDLP1Ei6dq7k9zrIFh4uwVJ5o7xV5_X_w8kEm49A8Zxaq6toZSBRyfzEVLWBCczfOwb8DJLuoHsB6m9hfNZBNPLAqFNNhvGg",
    ),
    (
        "a long-form length",
        "eA7KpjC6rVO6-t2beb5QdfeWeEChyTU3WCxL-Cp_khOBywVS8jUWvsuvJ26HGYjc8WA0KoEsugjVdxaSXN-t4N0NoyeMN64OS0XVGk5B4VJbbcJola036fEsSyPB8g0LcKt874aDQWdj_O4zCGEquCaFQshGNokioll-ldxNvYLDKRg9Wpa1f9ShoE5Zi9B3bGyKHNMUNk2_jRtzcvg3G8WQty3ZXMT9php3N1U09Pn_D-z0XWGF95Cd6Sx4QKRLtbHtJxsrTpU_aHEWQH-w07j7seDSlu0g2S6jfki36ZDl3lCcx6WCZ1LCMthtQbZDdiDmx1uUT86S9PyqdAjlzw",
    ),
    (
        "the bare hash",
        "n-FE8Lg9dgPYc1FDlE0IecYwIy512u2qIttTh4Gc_UUYPBo_bRhHmDJEDa2ED3yPg7JyDfkC-mnWQ6X4dNYJ-5P_HpD1zaG2yxyUck8VzYO3pAY9WaJwXw50qnh86ZKrGeMjSYbNGpzbUYuRI3jsxHzFW1htcTcvwx69BuScZQ399rCe_U06MMnOIu3Uz8z9OlvF5QQsUKFqqOIkp6D0gqE7sTR0fL-TGjvHif5Tww_UrSS0017p4Btk8B5O0AHMdHkbJjiMSbVo4bqa4MwLDJUh3QOwhu7qXA3Uw84hWN0G5O7YH03xkwIxB0FIBCRJgrkaKjLfIelKvwPBDQ-C-w",
    ),
    (
        "garbage in the parameters",
        "gn_HX-fTZLaIqhnZPTuXqBOTr0xCgSpNAerR4IIWmlqrqXh9m9d3FinbX_QGRTWpBU7U1a_bc60CAws9CWPvh_cDJzBBmNZBLy-_YRMuTYfbAf0TXpKas-_Ip1Rqde_wJFUmc6Yd4Z0Wc9371ArQqmAAsteHimSoff_15jQmRCPq3MnJlzwceKcEyC--k9PsXnl0y4Tw6oa1jya9XQvIaM3VVN0n2wJUbcIXFzoram_m_0EsT2e_3_CR2UWr2FpVmDJk6ndFckp9JVwH9PqARQG7Ws5F0oc62ktyqtqMgc1qnCKXniQ7kefjLAqHJ_SvE5Gk1RkbNDEf2LdaKxb8Uw",
    ),
    (
        "no padding at all",
        "Jr9U2v79fIkQnHTvHgiuA8z_9d5cAfgU5aAY9VKE9_CEiH04QA-CaZAiOQAxdf6zIscbGOlvM-O5SstpCfHmNM_NMI3mo_i6EHO4Ag5N5QWVz1qY_7BQVjalGxv2L1WvPHmEwWcid2c2lWnuFGHpljcttcI_Wbx9YKzEkxjSMHc8LDiAuvmafSmSpzewXLOIpwBqhj3vFuw3yDM1Yq0XnmDZsFC1w1cF4KjQRVBtXUh-XY_6SWi-vWeNoLeN4yRJkVDD6DTkuaghMjYbp36jbfbxYRmC9X1V4aowK1lxSVX1WWphErgpJCxWn25uH5_1761iC0P5hsbaecnq6DUPuA",
    ),
];
