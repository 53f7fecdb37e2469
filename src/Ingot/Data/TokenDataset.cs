using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using Ingot.Tokenizers;

namespace Ingot.Data;

/// <summary>How far encoding a text has come.</summary>
/// <param name="TextBytes">Bytes of text encoded so far.</param>
/// <param name="TotalTextBytes">Bytes of text in all.</param>
/// <param name="Tokens">Tokens so far.</param>
public readonly record struct TokenDatasetProgress(long TextBytes, long TotalTextBytes, long Tokens);

/// <summary>
/// A text as token files: one to train on and one to validate on. They are kept in a cache folder under a hash of all that decides them
/// (the text files' paths, sizes and times, the tokenizer, the split), so a second run finds them ready.
/// <para>
/// Validation takes the last share of the text's characters, cut exactly there, as nanoGPT does: the first ⌊characters × (1 − share)⌋ are
/// for training. After every document (file, or record of JSON Lines) comes the end-of-text token, if the tokenizer has one.
/// </para>
/// </summary>
public sealed class TokenDataset : IDisposable
{
    private TokenDataset(TokenFile train, TokenFile? validation, bool fromCache)
    {
        Train = train;
        Validation = validation;
        FromCache = fromCache;
    }

    /// <summary>The tokens to train on.</summary>
    public TokenFile Train { get; }

    /// <summary>The tokens to validate on; null if none were asked for.</summary>
    public TokenFile? Validation { get; }

    /// <summary>Whether the files were there already.</summary>
    public bool FromCache { get; }

    /// <summary>Encodes a text on all cores, unless the cache has it.</summary>
    /// <param name="source">The text.</param>
    /// <param name="tokenizer">Makes the tokens.</param>
    /// <param name="cacheFolder">Where token files are kept; made if need be.</param>
    /// <param name="validationFraction">The share of the text to hold back from training, from 0 (none) to less than 1.</param>
    /// <param name="validationSource">Text of its own to validate on; then nothing is held back.</param>
    /// <param name="progress">Told now and then how far the work has come.</param>
    /// <param name="cancellationToken">Stops the work.</param>
    /// <exception cref="ArgumentOutOfRangeException">The share is not in [0, 1).</exception>
    /// <exception cref="InvalidDataException">
    /// The text is not UTF-8, is damaged, has a character that the tokenizer cannot write, or is too short to be split.
    /// </exception>
    /// <exception cref="IOException">A file cannot be read or written; another process may be writing it.</exception>
    public static TokenDataset Prepare(
        TextSource source,
        Tokenizer tokenizer,
        string cacheFolder,
        double validationFraction,
        TextSource? validationSource = null,
        IProgress<TokenDatasetProgress>? progress = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(source);
        ArgumentNullException.ThrowIfNull(tokenizer);
        ArgumentException.ThrowIfNullOrEmpty(cacheFolder);
        if (!(validationFraction is >= 0 and < 1))
        {
            throw new ArgumentOutOfRangeException(
                nameof(validationFraction), validationFraction, "The share held back for validation must be at least 0 and less than 1.");
        }

        if (validationSource is not null)
        {
            validationFraction = 0;
        }

        var folder = Path.Combine(cacheFolder, Key(source, tokenizer, validationFraction, validationSource));
        var trainPath = Path.Combine(folder, "train.tokens");
        var validationPath = validationSource is not null || validationFraction > 0 ? Path.Combine(folder, "validation.tokens") : null;
        if (FromFiles(trainPath, validationPath, fromCache: true) is { } cached)
        {
            return cached;
        }

        Directory.CreateDirectory(folder);
        var total = source.Measure(cancellationToken).Bytes + (validationSource?.Measure(cancellationToken).Bytes ?? 0);
        using (var encoder = new Encoder(tokenizer, total, progress, cancellationToken))
        using (var train = new TokenFileWriter(trainPath, tokenizer))
        using (var validation = validationPath is null ? null : new TokenFileWriter(validationPath, tokenizer))
        {
            if (validationFraction > 0)
            {
                encoder.Encode(source, train, TrainCharacters(source, validationFraction), validation);
            }
            else
            {
                encoder.Encode(source, train, long.MaxValue, validation: null);
                if (validationSource is not null)
                {
                    encoder.Encode(validationSource, validation!, long.MaxValue, validation: null);
                }
            }

            validation?.Complete();
            train.Complete();
        }

        return FromFiles(trainPath, validationPath, fromCache: false)
            ?? throw new IOException($"{folder}: the token files that were just written there cannot be read. Is the disk sound?");
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Train.Dispose();
        Validation?.Dispose();
    }

    private static long TrainCharacters(TextSource source, double validationFraction)
    {
        var characters = source.Measure().Characters;
        var forTraining = (long)(characters * (1 - validationFraction));
        return forTraining > 0 && forTraining < characters
            ? forTraining
            : throw new InvalidDataException(
                $"{source.Path}: {characters} characters are too few to hold back a share of {validationFraction} for validation. " +
                "Take more text, or hold back another share or none.");
    }

    private static string Key(TextSource source, Tokenizer tokenizer, double validationFraction, TextSource? validationSource)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(Encoding.UTF8.GetBytes($"tokens 2\n{tokenizer.Fingerprint}\n{validationFraction:R}\n"));
        source.AppendTo(hash);
        hash.AppendData("validation\n"u8);
        validationSource?.AppendTo(hash);
        return Convert.ToHexStringLower(hash.GetHashAndReset())[..16];
    }

    // Null if a file is absent or damaged: then both are made anew.
    private static TokenDataset? FromFiles(string trainPath, string? validationPath, bool fromCache)
    {
        if (!File.Exists(trainPath) || (validationPath is not null && !File.Exists(validationPath)))
        {
            return null;
        }

        TokenFile? train = null;
        try
        {
            train = TokenFile.Open(trainPath);
            return new TokenDataset(train, validationPath is null ? null : TokenFile.Open(validationPath), fromCache);
        }
        catch (InvalidDataException)
        {
            train?.Dispose();
            return null;
        }
    }

    /// <summary>
    /// Encodes pieces of text on all cores and writes the tokens in the text's order: a queue of running tasks, whose results are
    /// taken from the front.
    /// </summary>
    private sealed class Encoder(
        Tokenizer tokenizer, long totalTextBytes, IProgress<TokenDatasetProgress>? progress, CancellationToken cancellationToken)
        : IDisposable
    {
        private static readonly int MostAtOnce = 2 * Environment.ProcessorCount;

        private readonly Queue<(Task<List<int>> Ids, TextPiece Piece, TokenFileWriter Writer, bool BeginsDocument)> _running = new();
        private readonly ConcurrentBag<List<int>> _lists = [];
        private long _textBytes;
        private long _tokens;

        /// <summary>Encodes a text: so many characters into one file, the others, if it is given, into a second.</summary>
        public void Encode(TextSource source, TokenFileWriter train, long trainCharacters, TokenFileWriter? validation)
        {
            var writer = train;
            var beginsDocument = true;
            foreach (var read in source.ReadPieces(cancellationToken))
            {
                var piece = read;
                if (writer == train && validation is not null)
                {
                    var characters = Utf8Text.CountCharacters(piece.Utf8.Span);
                    if (characters > trainCharacters)
                    {
                        var cut = Utf8Text.OffsetOfCharacter(piece.Utf8.Span, trainCharacters);
                        if (cut > 0)
                        {
                            Start(source, piece with { Utf8 = piece.Utf8[..cut], EndsDocument = false }, train, beginsDocument);
                        }

                        piece = piece with { Utf8 = piece.Utf8[cut..] };
                        (writer, beginsDocument) = (validation, true);
                    }

                    trainCharacters -= characters;
                }

                Start(source, piece, writer, beginsDocument);
                beginsDocument = piece.EndsDocument;
            }

            while (_running.Count > 0)
            {
                Finish();
            }
        }

        /// <summary>Waits for what still runs after an error.</summary>
        public void Dispose()
        {
            foreach (var (ids, _, _, _) in _running)
            {
                ids.ContinueWith(static task => _ = task.Exception, TaskScheduler.Default).Wait();
            }
        }

        private void Start(TextSource source, TextPiece piece, TokenFileWriter writer, bool beginsDocument)
        {
            if (_running.Count == MostAtOnce)
            {
                Finish();
            }

            _running.Enqueue((Task.Run(() => EncodePiece(source, piece)), piece, writer, beginsDocument));
        }

        private List<int> EncodePiece(TextSource source, TextPiece piece)
        {
            var ids = _lists.TryTake(out var list) ? list : [];
            try
            {
                tokenizer.EncodeUtf8(piece.Utf8.Span, ids);
            }
            catch (InvalidDataException e)
            {
                throw new InvalidDataException($"{source.Files[piece.File].Path}: {e.Message}", e);
            }

            if (piece.EndsDocument && tokenizer.EndOfTextId is { } endOfText)
            {
                ids.Add(endOfText);
            }

            return ids;
        }

        private void Finish()
        {
            cancellationToken.ThrowIfCancellationRequested();
            var (task, piece, writer, beginsDocument) = _running.Dequeue();
            var ids = task.GetAwaiter().GetResult();
            if (beginsDocument)
            {
                writer.BeginDocument();
            }

            writer.Append(CollectionsMarshal.AsSpan(ids), piece.Utf8.Length);
            _textBytes += piece.Utf8.Length;
            _tokens += ids.Count;
            ids.Clear();
            _lists.Add(ids);
            progress?.Report(new TokenDatasetProgress(_textBytes, totalTextBytes, _tokens));
        }
    }
}
