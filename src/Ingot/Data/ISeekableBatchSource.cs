namespace Ingot.Data;

/// <summary>A source of batches that can be set to an earlier position.</summary>
public interface ISeekableBatchSource : IBatchSource
{
    /// <inheritdoc cref="IBatchSource.Position"/>
    /// <exception cref="InvalidDataException">It is set to a position of other data or another form of batches.</exception>
    new BatchPosition Position { get; set; }
}
