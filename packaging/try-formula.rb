# try-formula.rb FORMULA ARCHIVE PREFIX: what `brew install` does with a formula, on Linux x86_64, as far as this formula asks.
require "digest"
require "fileutils"
require "pathname"
require "tmpdir"

class Pathname
  def install(*sources)
    mkpath
    sources.flatten.each do |it|
      it.respond_to?(:each_pair) ? it.each_pair { |from, to| FileUtils.cp(from, self + to) } : FileUtils.cp_r(it, self)
    end
  end
end

class Formula
  class << self
    attr_reader :checked

    %i[desc homepage license].each { |name| define_method(name) { |_| } }
    def version(it = nil) = it ? @version = it : @version
    def url(it = nil) = it ? @url = it : @url
    def sha256(it = nil) = it ? @sha256 = it : @sha256
    def on_linux = yield
    def on_intel = yield
    def on_macos = nil
    def on_arm = nil
    def test(&block) = @checked = block
    def inherited(formula) = (@last = formula)
    attr_reader :last
  end

  def initialize(prefix) = @prefix = Pathname(prefix)
  def version = self.class.version
  def bin = @prefix + "bin"
  def man1 = @prefix + "share/man/man1"
  def doc = @prefix + "share/doc/corti-auth"
  def bash_completion = @prefix + "etc/bash_completion.d"
  def zsh_completion = @prefix + "share/zsh/site-functions"
  def fish_completion = @prefix + "share/fish/vendor_completions.d"
  def shell_output(command) = `#{command}`

  def assert_match(expected, found)
    found.include?(expected) or abort "expected #{expected}, got #{found}"
  end
end

file, archive, prefix = ARGV.map { |it| File.expand_path(it) }
load file
formula = Formula.last
File.basename(formula.url) == File.basename(archive) or abort "the formula wants #{formula.url}"
formula.sha256 == Digest::SHA256.file(archive).hexdigest or abort "the formula has another sum"
Dir.mktmpdir do |folder|
  # As brew does: it goes into the one folder of an archive.
  system("tar", "-xzf", archive, "-C", folder, "--strip-components=1", exception: true)
  Dir.chdir(folder) { formula.new(prefix).install }
end
formula.new(prefix).instance_eval(&formula.checked)
