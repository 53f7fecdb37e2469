using System.Buffers;
using System.Text;
using Ingot.Tokenizers.Files;

namespace Ingot.Tokenizers;

/// <summary>
/// Text to token ids and back. Implementations are immutable and may be used by several threads at once.
/// A lone surrogate, which UTF-8 cannot write, counts as U+FFFD, the replacement character. For every other text
/// <c>Decode(Encode(text)) == text</c> with byte-level BPE; normalizers and unknown tokens of other tokenizers lose what they lose.
/// </summary>
public abstract class Tokenizer
{
    /// <summary>How many ids there are; they are 0 … VocabularySize − 1.</summary>
    public abstract int VocabularySize { get; }

    /// <summary>The id that ends a document, if the vocabulary has one.</summary>
    public abstract int? EndOfTextId { get; }

    /// <summary>
    /// A hash (SHA-256, 64 hexadecimal digits) of all that decides which ids a text gets. Files of tokens carry it.
    /// </summary>
    public abstract string Fingerprint { get; }

    /// <summary>Which special tokens have a role.</summary>
    public abstract SpecialTokenRoles Roles { get; }

    /// <summary>The tokens that are looked for in the text itself.</summary>
    public abstract IReadOnlyList<AddedToken> AddedTokens { get; }

    /// <summary>
    /// What writes the texts that an encoder-decoder is to write itself. Marian's models have pieces for the language they read and others,
    /// under the same ids, for the one they write; all others have one tokenizer, which this then is.
    /// </summary>
    public virtual Tokenizer ForTargets => this;

    /// <summary>The id of the token that begins a text; null if there is none.</summary>
    public int? BosId => IdOf(Roles.Bos);

    /// <summary>The id of the token that ends a text; null if there is none.</summary>
    public int? EosId => IdOf(Roles.Eos);

    /// <summary>The id of the token that fills up the shorter texts of a batch; null if there is none.</summary>
    public int? PadId => IdOf(Roles.Pad);

    /// <summary>The id of the token for what cannot be written; null if there is none.</summary>
    public int? UnkId => IdOf(Roles.Unk);

    /// <summary>The id of the token that begins a text to be classified; null if there is none.</summary>
    public int? ClsId => IdOf(Roles.Cls);

    /// <summary>The id of the token between two texts; null if there is none.</summary>
    public int? SepId => IdOf(Roles.Sep);

    /// <summary>The id of the token that is to be guessed; null if there is none.</summary>
    public int? MaskId => IdOf(Roles.Mask);

    /// <summary>Whether tokens can be decoded one by one, the bytes of each following those of the one before.</summary>
    internal virtual bool DecodesByToken => true;

    /// <summary>The id of a token as the vocabulary writes it; null if it is not there.</summary>
    public abstract int? TokenToId(string token);

    /// <summary>A token as the vocabulary writes it; null if the id is not there.</summary>
    public abstract string? IdToToken(int id);

    /// <summary>Encodes a text, or a pair of texts, with all that models and their callers need.</summary>
    /// <param name="text">The text.</param>
    /// <param name="pair">The second text; null for none.</param>
    /// <param name="options">Special tokens (by default added), truncation and padding (by default none).</param>
    /// <exception cref="ArgumentException">The texts cannot be cut or filled up as asked.</exception>
    /// <exception cref="InvalidDataException">The text holds something that the vocabulary cannot write.</exception>
    public abstract TokenEncoding Tokenize(string text, string? pair = null, EncodeOptions? options = null);

    /// <summary>Encodes several texts or pairs; padding without a length fills up to the longest of them.</summary>
    /// <inheritdoc cref="Tokenize(string, string?, EncodeOptions?)"/>
    public abstract IReadOnlyList<TokenEncoding> TokenizeBatch(
        IEnumerable<(string Text, string? Pair)> texts, EncodeOptions? options = null);

    /// <summary>The text of some ids.</summary>
    /// <param name="ids">Ids.</param>
    /// <param name="skipSpecialTokens">Leave out special tokens.</param>
    /// <exception cref="ArgumentOutOfRangeException">An id is not in the vocabulary.</exception>
    public abstract string Decode(ReadOnlySpan<int> ids, bool skipSpecialTokens);

    /// <summary>
    /// A tokenizer that knows these special tokens too. New ones get the next ids: the model's embeddings have to grow.
    /// </summary>
    public abstract Tokenizer WithSpecialTokens(params IEnumerable<string> tokens);

    /// <summary>A tokenizer with other roles; tokens that are new become special tokens with the next ids.</summary>
    public abstract Tokenizer WithRoles(SpecialTokenRoles roles);

    /// <summary>Appends the ids of a text, without the special tokens that a post-processor adds.</summary>
    /// <param name="utf8">Valid UTF-8.</param>
    /// <param name="ids">Where the ids go.</param>
    /// <exception cref="InvalidDataException">The text holds something that the vocabulary cannot write.</exception>
    public abstract void EncodeUtf8(ReadOnlySpan<byte> utf8, List<int> ids);

    /// <summary>Writes the text of some ids as UTF-8. Half a character at either end comes out as it is.</summary>
    /// <exception cref="ArgumentOutOfRangeException">An id is not in the vocabulary.</exception>
    public abstract void DecodeUtf8(ReadOnlySpan<int> ids, IBufferWriter<byte> utf8);

    /// <summary>What the tokenizer is made of, in words for people: names and values in the order in which text meets them.</summary>
    public abstract IEnumerable<(string Name, string Value)> Describe();

    /// <summary>
    /// Writes the tokenizer's files, in the form that Hugging Face's libraries read, into a folder, which is made if need be.
    /// </summary>
    public abstract void Save(string folder);

    /// <summary>The ids of a text, without the special tokens that a post-processor adds.</summary>
    /// <exception cref="InvalidDataException">The text holds something that the vocabulary cannot write.</exception>
    public int[] Encode(ReadOnlySpan<char> text)
    {
        var ids = new List<int>();
        Encode(text, ids);
        return [.. ids];
    }

    /// <inheritdoc cref="Encode(ReadOnlySpan{char})"/>
    public int[] Encode(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        return Encode(text.AsSpan());
    }

    /// <summary>Appends the ids of a text.</summary>
    /// <exception cref="InvalidDataException">The text holds something that the vocabulary cannot write.</exception>
    public void Encode(ReadOnlySpan<char> text, List<int> ids)
    {
        ArgumentNullException.ThrowIfNull(ids);
        var buffer = ArrayPool<byte>.Shared.Rent(Encoding.UTF8.GetByteCount(text));
        try
        {
            var length = Encoding.UTF8.GetBytes(text, buffer);
            EncodeUtf8(buffer.AsSpan(0, length), ids);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    /// <summary>The text of some ids. Bytes that are no whole character come out as U+FFFD.</summary>
    /// <exception cref="ArgumentOutOfRangeException">An id is not in the vocabulary.</exception>
    public string Decode(ReadOnlySpan<int> ids)
    {
        var utf8 = new ArrayBufferWriter<byte>(Math.Max(16, 4 * ids.Length));
        DecodeUtf8(ids, utf8);
        return Encoding.UTF8.GetString(utf8.WrittenSpan);
    }

    /// <summary>
    /// Reads the tokenizer of a model folder: <c>tokenizer.json</c>, or else <c>vocab.json</c> with <c>merges.txt</c>, or else
    /// <c>vocab.txt</c>, a SentencePiece model (<c>tokenizer.model</c>, <c>spiece.model</c>, <c>sentencepiece.bpe.model</c>, Marian's
    /// <c>source.spm</c> and <c>target.spm</c>) or tiktoken's ranks (<c>cl100k_base.tiktoken</c> and others, Llama 3's
    /// <c>tokenizer.model</c>); and the roles of its special tokens from <c>tokenizer_config.json</c> and <c>special_tokens_map.json</c>.
    /// </summary>
    /// <exception cref="DirectoryNotFoundException">There is no such folder.</exception>
    /// <exception cref="FileNotFoundException">The folder holds no tokenizer.</exception>
    /// <exception cref="InvalidDataException">A file is damaged, or of a kind that is not supported; the message names both.</exception>
    public static Tokenizer Load(string folder) => TokenizerFolder.Load(folder);

    /// <summary>The error for an id that the vocabulary lacks.</summary>
    private protected ArgumentOutOfRangeException UnknownId(int id) =>
        new(nameof(id), id, $"Token id {id} is not in the vocabulary, whose ids are 0 … {VocabularySize - 1}.");

    private int? IdOf(string? token) => token is null ? null : TokenToId(token);
}
