//! Certificates and keys that live for one test.

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, KeyPair, date_time_ymd};

/// A day: year, month, day.
pub(crate) type Day = (i32, u8, u8);

/// A certificate and its key, in PEM.
pub(crate) struct Made {
    pub(crate) certificate: String,
    pub(crate) key: String,
    pub(crate) der: Vec<u8>,
    pub(crate) key_der: Vec<u8>,
    /// The public key: a point of 65 bytes.
    pub(crate) point: Vec<u8>,
}

/// One that signed itself, with a key of its own on P-256.
pub(crate) fn made(name: &str, from: Day, to: Day) -> Made {
    make(name, from, to, IsCa::NoCa)
}

/// The same, of an authority.
pub(crate) fn authority(name: &str, from: Day, to: Day) -> Made {
    make(name, from, to, IsCa::Ca(BasicConstraints::Unconstrained))
}

fn make(name: &str, from: Day, to: Day, is_ca: IsCa) -> Made {
    let key = KeyPair::generate().expect("key");
    let mut parameters = CertificateParams::new(Vec::<String>::new()).expect("parameters");
    parameters.distinguished_name.push(DnType::CommonName, name);
    parameters.not_before = date_time_ymd(from.0, from.1, from.2);
    parameters.not_after = date_time_ymd(to.0, to.1, to.2);
    parameters.is_ca = is_ca;
    let certificate = parameters.self_signed(&key).expect("certificate");
    Made {
        certificate: certificate.pem(),
        key: key.serialize_pem(),
        der: certificate.der().to_vec(),
        key_der: key.serialize_der(),
        point: key.public_key_raw().to_vec(),
    }
}

/// An RSA key of 1024 bits: a certificate.
pub(crate) const SHORT_KEY: &str = "\
-----BEGIN CERTIFICATE-----
MIICODCCASACFFu8AHUR3BEMhKa0FrwGkV28PFCKMA0GCSqGSIb3DQEBCwUAMBkx
FzAVBgNVBAMMDmNhLmV4YW1wbGUubmV0MB4XDTI2MTEyNDE5MTcyNVoXDTM2MTEy
MTE5MTcyNVowHDEaMBgGA1UEAwwRc2hvcnQuZXhhbXBsZS5uZXQwgZ8wDQYJKoZI
hvcNAQEBBQADgY0AMIGJAoGBALvpTlP5/L9yAVqLZaSWy4dscSd6e99LPHtqKK7w
z1CmwolOJnWUM7rRLC961fp47XTPa6vWjIJD3HcvgID40wHqfCtAbiUadv6ovytn
fjNEAhYkJv0R/PWVyblYDx3RVRtb4hijNttiW1vMoCnqqAGHjkK5Vgijp6FnN/9L
A/9fAgMBAAEwDQYJKoZIhvcNAQELBQADggEBAIJnjybP6i+neBgetdKQt2wm+Esj
rDpll1bh1RZpdAd/pRiaoU1+6RI1fvmzKj+w7ugxqkfjcY5jcn9v02htuAuRcpcx
l0hCsCAi44Dj0B9V/F4RT4NW9cPtc2OpKFpKeisWrFRtg6Fq9fH/q9fnpETrdmtj
4dr9E2UqZ7rXNpSetvUcXxi+1LhkdGxDKFO0gMRBVylK1/FHZN136p4WZGb133LV
Z4e5tnFqToMFGev9ckJtbxTIj5fAkBqC6AIY71yuU9ly+VGGGjm5uAj3rzEpG5Dd
rwg3daFU05/YMvo5i4erO2zcZpz8bDGJPT4+leY9MpV+qxlZdANUu4mbrCw=
-----END CERTIFICATE-----";
/// The same key without the certificate.
pub(crate) const SHORT_PUBLIC_KEY: &str = "\
-----BEGIN PUBLIC KEY-----
MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQC76U5T+fy/cgFai2WklsuHbHEn
envfSzx7aiiu8M9QpsKJTiZ1lDO60SwvetX6eO10z2ur1oyCQ9x3L4CA+NMB6nwr
QG4lGnb+qL8rZ34zRAIWJCb9Efz1lcm5WA8d0VUbW+IYozbbYltbzKAp6qgBh45C
uVYIo6ehZzf/SwP/XwIDAQAB
-----END PUBLIC KEY-----";
/// A certificate whose signature relies on SHA-1.
pub(crate) const SIGNED_WITH_SHA1: &str = "\
-----BEGIN CERTIFICATE-----
MIIB7zCB2AIUTjkJ6h/6/8PjM172eatBp78kmN4wDQYJKoZIhvcNAQEFBQAwGTEX
MBUGA1UEAwwOY2EuZXhhbXBsZS5uZXQwHhcNMjYxMTI0MTkxNzI2WhcNMzYxMTIx
MTkxNzI2WjAbMRkwFwYDVQQDDBBzaGExLmV4YW1wbGUubmV0MFkwEwYHKoZIzj0C
AQYIKoZIzj0DAQcDQgAETQwLelw2Wu3goHBvKScte6+9OqAZHLhkhR5XkBKHWCyD
xJOFwDaInEASyCSsDEIGTjClwbCqV8ZX3Ups4u7JrjANBgkqhkiG9w0BAQUFAAOC
AQEAU8xC+IcXNHdaUgWum0Y+zpxiW+HRitlofXWTwKqaF7ji+gMgyhd+9iT+QKBL
NNFOmgidEzJ1ScjNv65STR1MoBuI4HnPoAXox1hXGnLhc9X85ZY658PDVfoBRa1X
n/HsRIN0RK4L6iSGupNZhiXToAcPFNc65d0pl4+sMmRKLebr+Ji0TWbMdIjrHWOF
Lc6fvZzvMKaKEOPnA0WIWljMkfmm/leLA2v6lxEQol1JmguKeQa9/BP/DDyFlHVA
ava2d2Wbp9+ba6dYLq8u2xW9hALex0GQYtygbGa4r/vL2/Po6LPmhOdDc9QT7OF3
Gfrp54A+IBJiJrg/oAArUdqTNA==
-----END CERTIFICATE-----";
/// A PKCS#12 with one certificate, by AES and PBKDF2; the password is `changeit`.
pub(crate) const STORE_OF_TODAY: &str = "\
MIICtwIBAzCCAm0GCSqGSIb3DQEHAaCCAl4EggJaMIICVjCCAlIGCSqGSIb3DQEHBqCCAkMwggI/AgEAMIICOAYJKoZIhvcNAQcB\
MFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAidTVxqXde1uQICCAAwDAYIKoZIhvcNAgkFADAdBglghkgBZQMEASoEELt0\
yNeyP/Iwdod1kfMs26SAggHQzyFx6QERRfTCXLyGvpCDNm3bPOSTtzbhOKq8dJ52ZEdSqwPZCQeNmBLeeHSA0FWaBXfrCCBLQW16\
CCzJTDP8+wssiQYksbzIwa3+PibUulDYI33jt7AM2sTOUOB48qEz64dcyXzrTzH0ey05ARxdU6Q+aLjOrc4k5J41UPkq6uRa3vRv\
8/90MN84aHD0rmY7Dzx/r6vsTRdOlS/LILcU5tsqGUWHH5QLYSXfUeEn/BhjVvBUh8pxdh2PdcgbZCVQO4m8W3QeZWSy7hUbp6ew\
hyUU3H8CT5aBUdDyOYKuQrbUQTODLOfEm/5R7oWXRUL7c75dIHnqON21+I5nKmAqWwiKasUH4eWJCSgVXh2wyKN4Cdtbwfno2Ai6\
oTSQOrtNGAYBiitWHmphuXkVcRYeH37NfcVD1MKRhzjIsrEQUCS+ePEz+dnVPmCb8Ngd0Zr3D//ifcL1xqQ2659uFfrCALrTSwj7\
ds6fHJzceQeP/EW3bwCZRp2YXUvl9dPgR4dWS2s3AotaOLnicDSrYQ/UWETxtPNyRRqeya+41wWJAmw5tUOHHGDqu4/1dHxAktPM\
6PcCZD4T91cDmKvbkfBixwsEUV2dRU+Ez5RlrRGP6gQwQTAxMA0GCWCGSAFlAwQCAQUABCAhYn2sY0NItJ1o6/h8SN5uDylOwgsW\
G25HPuF2HDvqLwQIHbg0OmIOd3wCAggA";
/// The same, by RC2 with 40 bits.
pub(crate) const STORE_OF_OLD: &str = "\
MIICZAIBAzCCAioGCSqGSIb3DQEHAaCCAhsEggIXMIICEzCCAg8GCSqGSIb3DQEHBqCCAgAwggH8AgEAMIIB9QYJKoZIhvcNAQcB\
MBwGCiqGSIb3DQEMAQYwDgQIGk1mdgIFLbICAggAgIIByHsHiiMUgPDpSdaM5G3CKQEBVhUAxXOFNDV4B3MsFU75DdAPXf9gME8J\
fRUTOa9LpwI7YXjWCfoifM6tr5ojlBcakx7iWP8zL0Pyn7M9wbGEVig3D1glJVwKjgjYTo/OhEyz6f+iyG/MMvX3elTMK3PtRq9T\
JrZeKF9bxM/PE/zTek6YBONAdy1i99LbFnxwxVl37jg1j0ndLJK/KxHHlHNznpzZlhEUoLFptbJCjNn3L+tZqvfLkclCxQF99knT\
08tLRRZTgoZNulrRHV2LBEUUk12fkRIhjCXp4x+I9oQGocDSO90RZRZwRvRg2B0NgSE7kYgQnwQG5keAfzb6sCrFJAsHxPiYmyGs\
SZuklDWhdkSxSMt6auaDMm7axeF2ckmJ+hJk8vcMrTp/jOAfUYkHKz241RRcweg82UUaJd4frXrUG2MxvavRSDmxuLmsWssCVx7t\
csHTTWB8uFST5yLtALyB7LRuhNJa7PVdp3ddlzH4pMdtTKzR+IIQ3xXG/DaThLqalf6XmNzHr2m1NdR6EYoiv7Ry+6uf7UMdu3t2\
NNkKcuAcHSiaR2SpdrD07i2Kh/Z+zRV9j9GDT/aoL8z+qneaFmm19DAxMCEwCQYFKw4DAhoFAAQUuqUohGBWS0g5vTlq4xJe3oF3\
oNQECDF9JLKoFNSLAgIIAA==";
/// The same, by Triple DES and the empty password.
pub(crate) const STORE_WITHOUT_PASSWORD: &str = "\
MIICZAIBAzCCAioGCSqGSIb3DQEHAaCCAhsEggIXMIICEzCCAg8GCSqGSIb3DQEHBqCCAgAwggH8AgEAMIIB9QYJKoZIhvcNAQcB\
MBwGCiqGSIb3DQEMAQMwDgQIkiY9tz9ZOBcCAggAgIIByCa/58qNHCqGiftGvPbMjvIDx/7le6uXZYsYhssxMJXd44bKbhrRfNbM\
mtxh4EwUD/p59dZASuWwU9RxWD3tfwI/9gFuTO9JVY4loVDogI+1Y+69ItkmS0BhIa+UVHeeRG8p6JC//feATYUEAlLzmfriLuZ0\
Q81KIO1fcHYkZKipFSELiPo5zOCL5qA2b4mqzCNIBuIF5BvCbXGLbIpr53Rbev5ljanHuFNwJ33fgWhk793YNmyEvNf3APUFJUew\
8TpHRLrA/5JTpHiPjx2hJBYnyt6j6pX24tWrlQsOOJR0GclJXQVhoiA3T1w6nUXaLvIafgGijWI+2Xy5ZhLP131wOm0eRoHP7rX+\
xBi1rscsV+QMQgVC+3MMfrZXBf1Bf3Nl1wqjRo1JsM0hXDLBd2TA+D0rxwPaPDY+O4FF/gYOfdsskX4+0tRc9KS2KosGIH2dJQmd\
p7CC9xhDFMC42ijItI/XjojqpN1EFpozKP+rInMUC4T23Ii21QEUXYnscIaTGYPR9/gr9/HOKZNCrFq2FWFzMelnb94J77n4LMdd\
8W6P/lbhbs1m3fiTdLmjSMJAZKojnwBjM814bmEiT6tpqfUqBT6ZbDAxMCEwCQYFKw4DAhoFAAQUbdde/vzRMSupT/UHhmVDNiiq\
QuUECMiYXy/alT8GAgIIAA==";
/// The same as the first, with two million rounds.
pub(crate) const SLOW_STORE: &str = "\
MIICuQIBAzCCAm4GCSqGSIb3DQEHAaCCAl8EggJbMIICVzCCAlMGCSqGSIb3DQEHBqCCAkQwggJAAgEAMIICOQYJKoZIhvcNAQcB\
MFgGCSqGSIb3DQEFDTBLMCoGCSqGSIb3DQEFDDAdBAjP2dvrjgswFAIDHoSAMAwGCCqGSIb3DQIJBQAwHQYJYIZIAWUDBAEqBBAS\
6tB0WKacFeamEpQnnzzRgIIB0HMjWCilWtyF6D1TUr4bN+a2gCrCqscZVE3ehogCFhXgsYrKVnun213iAKgcoVcv/LY8dpJvMeGa\
GnkUN8ejXI7tpc7WDpUdZzOoMDCJjObRBupHrkOseOLoSS/DRHB21/CidgIewbjAbJ6qMT3N/rp3YhE44GMLxwLSDae8h3aajWwX\
7Kr4o9XHPWQbOMJo/4wzDWU3JBtAGeZjWu0mCg6LNEZllkW40DN+9GEkA5YgTba+gWeiEQ9J0QHVEpE7u5rz9HF/ZHOVzB3pskpl\
IO4OQnNORv9o1/AqxrgANn2jhIcPNliNbz1KqZtqiZEiunz4gly7/w5bgoPs3M27tXzQJQkuA3INgEDpZ5AL60HIowcKFHV05FXz\
l8yi4SE4pLOqIdCsoFryb1xAP/vwmn2EvpMGWEGE/kGy34S6RaPad9wkzwMrurfHJj+1MGaLS3hbuCmxS0O7LuoKMnNKvHoWKWMF\
od/2rrIJK3ujlRHqoSlwXdDHOy1V+uZvtwm4Z+tGhfMEcuDHfbn9youobIjGbuxliC2lTAZAyE8HtzGm4HU0YIjrqCjMiFVHgwI2\
IG7tb9efGUe76JMkPXoYjmqf8oPvS9gINaQYWo2NF8w5MEIwMTANBglghkgBZQMEAgEFAAQgM0BrEXWoe/pbhbspqCccgJxT64cs\
zlcJ23MQlT6vfMwECJIuy89vhTCfAgMehIA=";
