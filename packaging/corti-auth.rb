class CortiAuth < Formula
  desc "Keep Corti client secrets in the keyring and get access tokens with them"
  homepage "@REPOSITORY_URL@"
  version "@VERSION@"
  license "MIT"

  on_macos do
    on_arm do
      url "@REPOSITORY_URL@/releases/download/v@VERSION@/corti-auth-@VERSION@-aarch64-apple-darwin.tar.gz"
      sha256 "@aarch64-apple-darwin@"
    end
    on_intel do
      url "@REPOSITORY_URL@/releases/download/v@VERSION@/corti-auth-@VERSION@-x86_64-apple-darwin.tar.gz"
      sha256 "@x86_64-apple-darwin@"
    end
  end

  on_linux do
    on_arm do
      url "@REPOSITORY_URL@/releases/download/v@VERSION@/corti-auth-@VERSION@-aarch64-unknown-linux-musl.tar.gz"
      sha256 "@aarch64-unknown-linux-musl@"
    end
    on_intel do
      url "@REPOSITORY_URL@/releases/download/v@VERSION@/corti-auth-@VERSION@-x86_64-unknown-linux-musl.tar.gz"
      sha256 "@x86_64-unknown-linux-musl@"
    end
  end

  def install
    bin.install "corti-auth"
    man1.install Dir["man/*.1"]
    bash_completion.install "completions/corti-auth.bash" => "corti-auth"
    zsh_completion.install "completions/_corti-auth"
    fish_completion.install "completions/corti-auth.fish"
    doc.install "README.md", "LICENSE", "THIRD-PARTY.md"
  end

  test do
    assert_match version.to_s, shell_output("#{bin}/corti-auth --version")
  end
end
