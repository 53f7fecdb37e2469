using System.Buffers;
using System.Text;
using Ingot.Tokenizers.Decoders;
using Ingot.Tokenizers.Models;
using Ingot.Tokenizers.Patterns;
using Ingot.Tokenizers.PreTokenizers;

namespace Ingot.Tokenizers;

/// <summary>
/// One id a character (Unicode code point), in the order of the code points, as in nanoGPT's character-level data. A text with a character
/// that the training text lacks cannot be encoded.
/// </summary>
public sealed class CharacterTokenizer : PipelineTokenizer
{
    // The character level as a pipeline: every code point is a word.
    private const string AnyCharacter = @"[\s\S]";

    private readonly int[] _idOfCodePoint;

    /// <summary>Makes a tokenizer of distinct code points in ascending order, and of the pipeline that they are from.</summary>
    internal CharacterTokenizer(int[] codePoints, TokenizerParts? parts = null)
        : base(parts ?? PartsOf(codePoints))
    {
        CodePoints = codePoints;
        _idOfCodePoint = new int[codePoints[^1] + 1];
        Array.Fill(_idOfCodePoint, -1);
        for (var id = 0; id < codePoints.Length; id++)
        {
            _idOfCodePoint[codePoints[id]] = id;
        }
    }

    /// <summary>The characters by id.</summary>
    internal IReadOnlyList<int> CodePoints { get; }

    /// <summary>The characters of a pipeline that this class is made for; null for any other.</summary>
    internal static int[]? CodePointsOf(TokenizerParts parts)
    {
        if (parts is not
            {
                AddedTokens: [], Normalizer: null, PostProcessor: null, Decoder: Fuse,
                PreTokenizer: Split { Behavior: SplitBehavior.Isolated, Invert: false, Pattern.Regex.Source: AnyCharacter },
                Model: WordLevelModel { Vocabulary: var vocabulary },
            })
        {
            return null;
        }

        var codePoints = new int[vocabulary.Count];
        for (var id = 0; id < codePoints.Length; id++)
        {
            if (vocabulary[id] is not { } word || !IsCharacter(word, out codePoints[id])
                || (id > 0 && codePoints[id] <= codePoints[id - 1]))
            {
                return null;
            }
        }

        return codePoints.Length > 0 ? codePoints : null;

        static bool IsCharacter(string word, out int codePoint)
        {
            var status = Rune.DecodeFromUtf16(word, out var rune, out var length);
            codePoint = rune.Value;
            return status == OperationStatus.Done && length == word.Length;
        }
    }

    /// <summary>Takes the distinct characters of a text as the vocabulary.</summary>
    /// <param name="utf8Pieces">The text as valid UTF-8, in pieces of whole characters.</param>
    /// <param name="cancellationToken">Stops the work between two pieces.</param>
    /// <exception cref="InvalidDataException">There is no text.</exception>
    public static CharacterTokenizer Train(IEnumerable<ReadOnlyMemory<byte>> utf8Pieces, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(utf8Pieces);
        var seen = new bool[0x110000];
        foreach (var piece in utf8Pieces)
        {
            cancellationToken.ThrowIfCancellationRequested();
            for (var rest = piece.Span; rest.Length > 0;)
            {
                Rune.DecodeFromUtf8(rest, out var rune, out var length);
                seen[rune.Value] = true;
                rest = rest[length..];
            }
        }

        int[] codePoints = [.. Enumerable.Range(0, seen.Length).Where(codePoint => seen[codePoint])];
        return codePoints.Length > 0
            ? new CharacterTokenizer(codePoints)
            : throw new InvalidDataException("There is no text to take a character vocabulary from.");
    }

    /// <inheritdoc cref="Train(IEnumerable{ReadOnlyMemory{byte}}, CancellationToken)"/>
    public static CharacterTokenizer Train(string text) => Train([Encoding.UTF8.GetBytes(text)]);

    /// <inheritdoc/>
    public override void EncodeUtf8(ReadOnlySpan<byte> utf8, List<int> ids)
    {
        ArgumentNullException.ThrowIfNull(ids);
        for (var at = 0; at < utf8.Length;)
        {
            Rune.DecodeFromUtf8(utf8[at..], out var rune, out var length);
            var id = rune.Value < _idOfCodePoint.Length ? _idOfCodePoint[rune.Value] : -1;
            if (id < 0)
            {
                throw new InvalidDataException(
                    $"The character {Describe(rune)} is not among the {VocabularySize} of the character vocabulary. " +
                    "Leave it out, or train a vocabulary on text that holds it; a BPE vocabulary can write every text.");
            }

            ids.Add(id);
            at += length;
        }
    }

    private static TokenizerParts PartsOf(int[] codePoints) =>
        new()
        {
            PreTokenizer = new Split(TextPattern.OfRegex(AnyCharacter), SplitBehavior.Isolated, invert: false),

            // The libraries want a name for the unknown. No character has it, so an unknown character is an error there too.
            Model = new WordLevelModel(Vocabulary.Of([.. codePoints.Select(char.ConvertFromUtf32)]), "<unk>"),
            Decoder = new Fuse(),
        };

    private static string Describe(Rune rune) =>
        Rune.IsControl(rune) || Rune.IsWhiteSpace(rune) ? $"U+{rune.Value:X4}" : $"\"{rune}\" (U+{rune.Value:X4})";
}
